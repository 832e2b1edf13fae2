import { Body, Controller, Delete, Get, Head, Headers, HttpCode, Param, Post } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse, ApiParam, ApiTags } from '@nestjs/swagger';
import { type Address, RelayError } from '@relay/protocol';
import { AddressPipe } from '../common/address.pipe.js';
import { domainOf } from '../common/domain.js';
import { ADDRESS_SCHEMA, AddressesDto } from '../common/dto.js';
import { ApiProblems } from '../common/problem.dto.js';
import { Settings } from '../common/settings.js';
import { KeyRepository, type PublicKey } from './key.repository.js';
import { KeyDeletedDto, KeyStatsDto, KeyUploadedDto, PublicKeyDto, PublicKeysDto, UploadKeyDto } from './keys.dto.js';
import { KeysService } from './keys.service.js';

const NO_KEY = 'Public key not found for this address';

@ApiTags('public keys')
@ApiProblems()
@ApiExtraModels(PublicKeyDto)
@Controller('api/public-keys')
export class KeysController {
  constructor(
    private readonly keys: KeyRepository,
    private readonly service: KeysService,
    private readonly settings: Settings,
  ) {}

  @Post()
  @HttpCode(200)
  @ApiOkResponse({ type: KeyUploadedDto })
  async upload(@Body() body: UploadKeyDto, @Headers('host') host: string | undefined): Promise<KeyUploadedDto> {
    const { address, publicKey, signature, scheme, version } = body;
    // All three or none, as the DTO has made sure.
    const isSigned = signature !== undefined && scheme !== undefined && version !== undefined;
    const signed = isSigned ? { signature, scheme, version } : null;
    const domain = isSigned ? domainOf(this.settings, host) : '';
    const { updatedAt } = await this.service.upload({ address, publicKey, signed, domain });
    return { success: true, address, updatedAt };
  }

  @Post('batch')
  @HttpCode(200)
  @ApiOkResponse({ type: PublicKeysDto })
  async batch(@Body() { addresses }: AddressesDto): Promise<PublicKeysDto> {
    const found = await this.keys.getMany(addresses);
    return { count: found.length, keys: Object.fromEntries(found.map((key) => [key.address, toDto(key)])) };
  }

  @Get('stats/all')
  @ApiOkResponse({ type: KeyStatsDto })
  async stats(): Promise<KeyStatsDto> {
    return { totalKeys: await this.keys.count() };
  }

  @Head(':address')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  async exists(@Param('address', AddressPipe) address: Address): Promise<void> {
    await this.find(address);
  }

  @Get(':address')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiOkResponse({ type: PublicKeyDto })
  async get(@Param('address', AddressPipe) address: Address): Promise<PublicKeyDto> {
    return toDto(await this.find(address));
  }

  @Delete(':address')
  @ApiParam({ name: 'address', schema: { ...ADDRESS_SCHEMA } })
  @ApiOkResponse({ type: KeyDeletedDto })
  async delete(@Param('address', AddressPipe) address: Address): Promise<KeyDeletedDto> {
    if (!(await this.service.delete(address))) throw new RelayError('not_found', NO_KEY);
    return { success: true, message: 'Public key deleted' };
  }

  private async find(address: Address): Promise<PublicKey> {
    const key = await this.keys.get(address);
    if (key === null) throw new RelayError('not_found', NO_KEY);
    return key;
  }
}

function toDto({ signed, ...key }: PublicKey): PublicKeyDto {
  return { ...key, ...signed };
}
