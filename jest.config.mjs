import { availableParallelism } from 'node:os';

/** Node's ESM runs as it is; swc only strips types and keeps decorators' metadata. */
const common = {
  testEnvironment: 'node',
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/protocol/dist/', '<rootDir>/client/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^@relay/protocol$': '<rootDir>/protocol/index.ts',
    '^@relay/protocol/schemas$': '<rootDir>/protocol/schemas.ts',
    '^@relay/client$': '<rootDir>/client/index.ts',
    '^@relay/client/(node|identity)$': '<rootDir>/client/$1.ts',
    '^@relay/client/encryption$': '<rootDir>/client/encryption/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        sourceMaps: 'inline',
        module: { type: 'es6' },
        jsc: {
          target: 'es2022',
          keepClassNames: true,
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
        },
      },
    ],
  },
};

/** Everything once; what goes through a whole relay once more with Redis behind it. */
export default {
  // Much of a test is waiting, for a process, a page or Redis: one worker more than cores keeps the cores busy.
  maxWorkers: availableParallelism() + 1,
  testSequencer: '<rootDir>/test/support/longest-first.mjs',
  // Only what hangs may end by time: a loaded machine needs many times what an idle one does.
  testTimeout: 300_000,
  projects: [
    {
      ...common,
      displayName: 'memory',
      globals: { STORAGE: 'memory' },
      roots: ['<rootDir>/src', '<rootDir>/protocol', '<rootDir>/client', '<rootDir>/web', '<rootDir>/test'],
    },
    {
      ...common,
      displayName: 'redis',
      // What does not depend on the storage runs once.
      testPathIgnorePatterns: [
        ...common.testPathIgnorePatterns,
        '/hostile-regexes\\.spec',
        '/slow-consumer\\.spec',
        '/hostile-memory\\.spec',
        '/hostile-slow\\.spec',
        '/pages\\.spec',
        '/e2e/start\\.spec',
        '/e2e/cli\\.spec',
        '/tls\\.spec',
        '/protocol-clients\\.spec',
        '/protocol-planted\\.spec',
      ],
      globals: { STORAGE: 'redis' },
      roots: ['<rootDir>/test/e2e', '<rootDir>/client/test/relay'],
    },
  ],
  collectCoverageFrom: [
    'src/**/*.ts',
    'protocol/*.ts',
    'client/*.ts',
    'client/encryption/*.ts',
    '!**/*.spec.ts',
    '!**/*.module.ts',
  ],
};
