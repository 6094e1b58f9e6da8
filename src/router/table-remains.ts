import { derivedStream } from '../api/derivation.ts';
import { storageIdsOf } from '../api/index-storage.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import type { StreamClient } from '../dynamo/stream-client.ts';
import { forgetProgress } from './build-progress.ts';
import { forgetDerivation } from './derivation-register.ts';

/**
 * Erases what the storage nodes have of a deleted table, but not its stream: that is read for a day more.
 * @param streams undefined: there are none
 */
export async function forgetRemains(
  client: DynamoClient,
  streams: StreamClient | undefined,
  table: Table,
): Promise<void> {
  const stream = derivedStream(table);
  // The last changes come out of the records. If that fails, some may be lost; whoever keeps streams ends this one later.
  if (stream !== undefined) await streams?.endStream({ stream: stream.storageId, shards: stream.shards });
  for (const storageId of storageIdsOf(table)) await client.forgetTable(storageId);
  await forgetDerivation(client, table);
  await forgetProgress(client, table);
}
