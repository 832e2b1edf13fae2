import { randomBytes } from 'node:crypto';
import { Backplane } from './backplane.js';

/** A relay of one node: there is nobody else to hear anything. */
export class SingleNodeBackplane extends Backplane {
  override readonly node = randomBytes(6).toString('base64url');

  override join(): Promise<void> {
    return Promise.resolve();
  }

  override leave(): void {
    // Nothing was joined.
  }

  override hearing(): number {
    return 1;
  }

  override send(): Promise<number> {
    return Promise.resolve(0);
  }

  override tell(): Promise<boolean> {
    return Promise.resolve(false);
  }

  override endHearing(): void {
    // Nobody does.
  }
}
