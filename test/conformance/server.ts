import { randomUUID } from 'node:crypto';
import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { createRouter } from '../../src/router/router.ts';
import { listen } from '../../src/web/listen.ts';
import { createWebServer } from '../../src/web/server.ts';
import { MemoryClient } from '../router/memory-client.ts';

export interface TestServer {
  readonly endpoint: string;
  /** An unmodified client of the official SDK that does not retry. */
  readonly client: DynamoDBClient;
  connect(config?: DynamoDBClientConfig): DynamoDBClient;
  stop(): Promise<void>;
}

/** A server on a free port, from HTTP to the door of the ring. */
export async function startServer(): Promise<TestServer> {
  const errors: unknown[] = [];
  const web = createWebServer({
    execute: createRouter({ client: new MemoryClient(), newId: () => randomUUID() }),
    nowMs: () => Date.now(),
    requestId: () => 'A'.repeat(52),
    isReady: () => true,
    onInternalError: (error) => errors.push(error),
  });
  const listening = await listen(web, ['127.0.0.1'], 0);
  const endpoint = `http://127.0.0.1:${listening.addresses[0]!.port}`;
  const clients: DynamoDBClient[] = [];
  const connect = (config: DynamoDBClientConfig = {}) => {
    const client = new DynamoDBClient({
      endpoint,
      region: 'eu-west-1',
      credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
      maxAttempts: 1,
      ...config,
    });
    clients.push(client);
    return client;
  };
  return {
    endpoint,
    client: connect(),
    connect,
    async stop() {
      for (const client of clients) client.destroy();
      await listening.close(Promise.resolve());
      if (errors.length > 0) throw new AggregateError(errors, 'bugs showed while the server ran');
    },
  };
}
