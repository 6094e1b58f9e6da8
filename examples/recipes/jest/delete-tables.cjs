const { DeleteTableCommand, ListTablesCommand } = require('@aws-sdk/client-dynamodb');
const { client } = require('./client.cjs');

/** The next test file of this worker begins without tables. */
afterAll(async () => {
  const { TableNames } = await client.send(new ListTablesCommand({}));
  for (const TableName of TableNames) await client.send(new DeleteTableCommand({ TableName }));
  client.destroy();
});
