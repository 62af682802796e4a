const shared = {
  transform: { '\\.ts$': ['@swc/jest', { jsc: { target: 'es2024', parser: { syntax: 'typescript' } } }] },
  extensionsToTreatAsEsm: ['.ts'],
  testEnvironment: 'node',
  // The examples and dist hold package.json files of their own; jest-haste-map must not index them.
  modulePathIgnorePatterns: ['<rootDir>/examples/', '<rootDir>/dist/', '<rootDir>/demo-output/'],
}

/** Two projects: `unit` needs no engine; `engine` builds for real (started by script/with-engine). */
export default {
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/__tests__/**/*.test.ts'],
      testPathIgnorePatterns: ['\\.engine\\.test\\.ts$'],
    },
    { ...shared, displayName: 'engine', testMatch: ['<rootDir>/__tests__/**/*.engine.test.ts'] },
  ],
  testTimeout: 120_000,
}
