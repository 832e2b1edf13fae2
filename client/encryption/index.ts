export { Encryption, type EncryptionOptions, type Opened } from './encryption.js';
export { type Binding, headerOf, type Opening, seal, type Sealing, unseal } from './envelope.js';
export {
  type EncryptionKeyPair,
  encryptionKeyPairOf,
  fingerprintOf,
  keyIdOf,
  newEncryptionKeyPair,
  parsePublicKey,
  publicKeyText,
} from './key-pair.js';
export { type OwnKeys } from './own-keys.js';
export { type PinnedKey, type Pins } from './pins.js';
export { type KeyChange, type KeyStanding, type Trust, type TrustPolicy } from './trust.js';
