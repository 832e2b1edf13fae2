/** Node's ESM runs as it is; swc only strips types and keeps decorators' metadata. */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/src', '<rootDir>/protocol', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/protocol/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^@relay/protocol$': '<rootDir>/protocol/index.ts',
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
  collectCoverageFrom: ['src/**/*.ts', 'protocol/*.ts', '!**/*.spec.ts', '!**/*.module.ts'],
};
