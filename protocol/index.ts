export * from './address.js';
export * from './decode.js';
export * from './errors.js';
export * from './frames.js';
export * from './identity.js';
export * from './limits.js';
