export {
  type Address,
  CLOSE_CODES,
  type CloseCode,
  type ErrorCode,
  ERRORS,
  keyStatement,
  LIMITS,
  parseAddress,
  parseSignInNonce,
  type Proof,
  type Scheme,
} from '@relay/protocol';
export { type AppData } from './app-data.js';
export { type ClientOptions, connect, RelayClient, type SendOptions } from './client.js';
export { type Clock, type Environment, type Random, type Socket, type SocketConstructor } from './environment.js';
export { CLIENT_ERRORS, ClientError, type ClientErrorCode } from './errors.js';
export { type ClientEvents, type State } from './events.js';
export { type HistoryEntry, type HistoryPage, type HistoryRequest } from './history.js';
export { type IncomingMessage, type Transaction } from './inbox.js';
export { type DirectoryKey, type Keys, type KeyUpload } from './keys.js';
export { type OutgoingMessage, type Receipt } from './outgoing.js';
export { checkNonce, domainOf, type Identity } from './sign-in.js';
export { type Change, ClientStore } from './store.js';
export { IndexedDbStore } from './store.indexed-db.js';
export { MemoryStore } from './store.memory.js';
