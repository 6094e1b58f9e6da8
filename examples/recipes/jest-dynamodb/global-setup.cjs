const { default: makeTables } = require('@shelf/jest-dynamodb/lib/setup.js');
const { startDynaring } = require('dynaring');

/** jest-dynamodb finds a server that answers, and makes its tables there instead of fetching DynamoDB Local. */
module.exports = async (...jest) => {
  globalThis.dynaring = await startDynaring();
  process.env.AWS_ENDPOINT_URL_DYNAMODB = globalThis.dynaring.endpoint;
  await makeTables(...jest);
};
