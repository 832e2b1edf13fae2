import {
  Controller,
  createParamDecorator,
  Delete,
  type ExecutionContext,
  Get,
  Param,
  Put,
  Query,
} from '@nestjs/common';
import { ApiOkResponse, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import { type Address, parseAddress, RelayError } from '@relay/protocol';
import { AddressPipe } from '../common/address.pipe.js';
import { ADDRESS_SCHEMA } from '../common/dto.js';
import { ApiProblems } from '../common/problem.dto.js';
import { InvalidRequest } from '../common/problem.js';
import { ContactService } from './contact.service.js';
import { ContactChangedDto, ContactsDto, ContactsQueryDto } from './contacts.dto.js';

/** As much as is needed of who the guard before this found to be calling. */
interface CalledRequest {
  readonly query: Readonly<Record<string, unknown>>;
  readonly caller?: { readonly kind: string; readonly session?: { readonly address: Address } };
}

/**
 * Whose list it is: of whoever signed in. Without a session, which the guard allows only where the address that is named
 * needs none, `owner` says it.
 */
function ownerOf(_: unknown, context: ExecutionContext): Address {
  const { query, caller } = context.switchToHttp().getRequest<CalledRequest>();
  const named = query.owner === undefined ? undefined : parseAddress(query.owner);
  if (named === null)
    throw new InvalidRequest([{ field: 'owner', message: 'must be an address: 0x and 40 hex digits' }]);
  const own = caller?.session?.address;
  if (own !== undefined && named !== undefined && named !== own) throw new RelayError('forbidden');
  const owner = own ?? named;
  if (owner === undefined) throw new InvalidRequest([{ field: 'owner', message: 'must say whose list it is' }]);
  return owner;
}

const Owner = createParamDecorator(ownerOf);
const OWNER_QUERY = {
  name: 'owner',
  required: false,
  description: 'Whose list it is, where no token says so.',
} as const;
const NOT_LISTED = 'That address is not on the list';

@ApiTags('contacts')
@ApiProblems()
@ApiQuery({ ...OWNER_QUERY, schema: { ...ADDRESS_SCHEMA } })
@Controller('api/blocks')
export class BlocksController {
  constructor(private readonly contacts: ContactService) {}

  @Get()
  @ApiOkResponse({ type: ContactsDto })
  async list(@Owner() owner: Address, @Query() { limit, after }: ContactsQueryDto): Promise<ContactsDto> {
    const page = await this.contacts.page('blocked', owner, after ?? null, limit);
    return { count: page.addresses.length, ...page };
  }

  @Put(':address')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiOkResponse({ type: ContactChangedDto })
  async block(@Owner() owner: Address, @Param('address', AddressPipe) address: Address): Promise<ContactChangedDto> {
    if (owner === address) throw new RelayError('bad_message', 'Nobody can block themselves');
    await this.contacts.put('blocked', owner, address);
    return { success: true, address };
  }

  @Delete(':address')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiOkResponse({ type: ContactChangedDto })
  async unblock(@Owner() owner: Address, @Param('address', AddressPipe) address: Address): Promise<ContactChangedDto> {
    if (!(await this.contacts.remove('blocked', owner, address))) throw new RelayError('not_found', NOT_LISTED);
    return { success: true, address };
  }
}

@ApiTags('contacts')
@ApiProblems()
@ApiQuery({ ...OWNER_QUERY, schema: { ...ADDRESS_SCHEMA } })
@Controller('api/allowed')
export class AllowedController {
  constructor(private readonly contacts: ContactService) {}

  @Get()
  @ApiOkResponse({ type: ContactsDto })
  async list(@Owner() owner: Address, @Query() { limit, after }: ContactsQueryDto): Promise<ContactsDto> {
    const page = await this.contacts.page('allowed', owner, after ?? null, limit);
    return { count: page.addresses.length, ...page };
  }

  @Put(':address')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiOkResponse({ type: ContactChangedDto })
  async allow(@Owner() owner: Address, @Param('address', AddressPipe) address: Address): Promise<ContactChangedDto> {
    await this.contacts.put('allowed', owner, address);
    return { success: true, address };
  }

  @Delete(':address')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiOkResponse({ type: ContactChangedDto })
  async disallow(@Owner() owner: Address, @Param('address', AddressPipe) address: Address): Promise<ContactChangedDto> {
    if (!(await this.contacts.remove('allowed', owner, address))) throw new RelayError('not_found', NOT_LISTED);
    return { success: true, address };
  }
}
