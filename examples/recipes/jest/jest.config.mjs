export default {
  testEnvironment: 'node',
  testMatch: ['**/*.test.cjs'],
  transform: {},
  globalSetup: './global-setup.mjs',
  globalTeardown: './global-teardown.mjs',
  setupFilesAfterEnv: ['./delete-tables.cjs'],
};
