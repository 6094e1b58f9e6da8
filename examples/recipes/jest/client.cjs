const { DynamoDBClient } = require('@aws-sdk/client-dynamodb');

/** A worker runs one test file at a time, and has a namespace of its own: tables that no other worker sees. */
exports.client = new DynamoDBClient({
  endpoint: process.env.AWS_ENDPOINT_URL_DYNAMODB,
  region: 'local',
  credentials: { accessKeyId: `dynaringnsworker-${process.env.JEST_WORKER_ID}`, secretAccessKey: 'any' },
});
