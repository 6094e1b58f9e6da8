import {
  type AttributeDefinition,
  CreateTableCommand,
  type CreateTableCommandInput,
  type CreateTableCommandOutput,
  type DynamoDBClient,
  type KeySchemaElement,
} from '@aws-sdk/client-dynamodb';

/** Makes the table of `tableInput`. */
export function createTable(
  client: DynamoDBClient,
  TableName: string,
  changes: Partial<CreateTableCommandInput> = {},
): Promise<CreateTableCommandOutput> {
  return client.send(new CreateTableCommand(tableInput(TableName, changes)));
}

/** An on-demand table whose keys are `pk` and, if wanted, `sk`. */
export function tableInput(TableName: string, changes: Partial<CreateTableCommandInput> = {}): CreateTableCommandInput {
  return { TableName, ...keysOf('pk'), BillingMode: 'PAY_PER_REQUEST', ...changes };
}

/** HASH, then RANGE, each a string. */
export function keysOf(...names: string[]): {
  KeySchema: KeySchemaElement[];
  AttributeDefinitions: AttributeDefinition[];
} {
  return {
    KeySchema: names.map((AttributeName, position) => ({ AttributeName, KeyType: position === 0 ? 'HASH' : 'RANGE' })),
    AttributeDefinitions: names.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
  };
}
