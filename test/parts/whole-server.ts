import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { ClientConfig, Dynaring } from '../../src/index.ts';

/** A client of the official SDK that does not retry, so that a failure shows. The caller destroys it. */
export function openClient(db: Dynaring, config: ClientConfig = db.clientConfig()): DynamoDBClient {
  return new DynamoDBClient({ ...config, maxAttempts: 1 });
}
