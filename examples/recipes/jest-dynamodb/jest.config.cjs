// Needs jest, @shelf/jest-dynamodb, @aws-sdk/client-dynamodb, and dynaring: docs/guide/tests.md tells how to install them.
process.env.JEST_DYNAMODB_CONFIG = require.resolve('./tables.cjs');

module.exports = {
  preset: '@shelf/jest-dynamodb',
  testMatch: ['**/*.test.cjs'],
  transform: {},
  globalSetup: './global-setup.cjs',
  globalTeardown: './global-teardown.cjs',
};
