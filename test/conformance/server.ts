import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { type DynaringOptions, startDynaring } from '../../src/index.ts';

export interface TestServer {
  readonly endpoint: string;
  /** An unmodified client of the official SDK that does not retry, so that a bug shows as the 500 that it is. */
  readonly client: DynamoDBClient;
  connect(config?: DynamoDBClientConfig): DynamoDBClient;
  stop(): Promise<void>;
}

/** A whole Dynaring on a free port: three nodes in a temporary directory. */
export async function startServer(options: DynaringOptions = {}): Promise<TestServer> {
  const dynaring = await startDynaring(options);
  const clients: DynamoDBClient[] = [];
  const connect = (config: DynamoDBClientConfig = {}) => {
    const client = new DynamoDBClient({ ...dynaring.clientConfig(), region: 'eu-west-1', maxAttempts: 1, ...config });
    clients.push(client);
    return client;
  };
  return {
    endpoint: dynaring.endpoint,
    client: connect(),
    connect,
    async stop() {
      for (const client of clients) client.destroy();
      await dynaring.stop();
    },
  };
}
