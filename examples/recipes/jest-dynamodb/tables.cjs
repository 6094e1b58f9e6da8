/** What jest-dynamodb is told: the server, which `global-setup.cjs` has started, and the tables that it makes in it. */
module.exports = () => ({
  port: Number(new URL(process.env.AWS_ENDPOINT_URL_DYNAMODB).port),
  tables: [
    {
      TableName: 'Orders',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
    },
  ],
});
