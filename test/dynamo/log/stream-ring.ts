import type { Derivation } from '../../../src/api/derivation.ts';
import { fromImage } from '../../../src/api/item.ts';
import { logPrefix } from '../../../src/dynamo/keyspace.ts';
import { cellKey } from '../../../src/dynamo/log/log-keys.ts';
import type { LogOutcome } from '../../../src/dynamo/stream-client.ts';
import { derivationOfTable, IndexedRing } from '../derived/indexed-ring.ts';
import type { NodeName } from '../three-nodes.ts';

const STREAM = 'a stream';
export const PREFIX = logPrefix(STREAM, 0, 1);

/** Three nodes that share one partition, with a table that has a stream and no index. */
export class StreamRing extends IndexedRing {
  override derivation: Derivation = {
    ...derivationOfTable(1),
    stream: { storageId: STREAM, view: 'NEW_AND_OLD_IMAGES', shards: 1 },
  };

  /** What the log shows: `item: old>new` of the attribute `v`. Or how reading it has ended. */
  log(at: NodeName, from = 0): string[] | LogOutcome['kind'] {
    const request = {
      kind: 'read-log',
      requestId: undefined,
      key: cellKey(PREFIX, from),
      offset: 0,
      limit: 1_000,
    } as const;
    const operation = this.start<LogOutcome>((done) => this.node(at).coordinate(request, done));
    this.settle(10_000);
    const { result } = operation;
    if (result?.kind !== 'changes') return result?.kind ?? 'unknown';
    return result.changes.map(({ key, old, next }) => {
      const text = (image: typeof old, name: string) => (image && (fromImage(image)[name] as { S: string }).S) ?? '-';
      return `${text(key, 'p')}: ${text(old, 'v')}>${text(next, 'v')}`;
    });
  }
}
