import type { PipeTransform } from '@nestjs/common';
import { type Address, parseAddress, RelayError } from '@relay/protocol';

/** An `:address` of a path, in lower case. */
export class AddressPipe implements PipeTransform<unknown, Address> {
  transform(value: unknown): Address {
    const address = parseAddress(value);
    if (address === null) throw new RelayError('bad_message', 'Invalid address: 0x and 40 hex digits');
    return address;
  }
}
