import type { ItemImage } from '../api/item.ts';
import type { ByteString } from '../api/primary-key.ts';
import { type DynamoClient, type ItemKey, SYSTEM_TABLE, type WriteOptions } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import type { OtherRouters } from './other-routers.ts';

const STRICT: WriteOptions = { consistency: 'strict', wantsOld: false };
const PARTITION_KEY = 'coming';
/** Above every id of a table. */
const END = '\xff'.repeat(9);
/** Longer than any restore takes: a router that has ended in the middle of one has left its rows. */
const KEPT_MS = 24 * 60 * 60_000;
const PAGE = 100;

/**
 * The tables whose items are written before their definition, as by a restore: their records are not those of deleted tables.
 * Where there are other routers, rows of the system table tell them.
 */
export class ComingTables {
  readonly #client: DynamoClient;
  readonly #others: OtherRouters | undefined;
  readonly #here = new Set<ByteString>();

  constructor(client: DynamoClient, others: OtherRouters | undefined) {
    this.#client = client;
    this.#others = others;
  }

  /** Does `work`, which writes items of tables that have no definition yet and then stores the definitions. */
  async during<T>(storageIds: readonly ByteString[], work: () => Promise<T>): Promise<T> {
    for (const storageId of storageIds) this.#here.add(storageId);
    try {
      if (this.#others !== undefined) await this.#tell(storageIds, this.#others.nowMs());
      return await work();
    } finally {
      for (const storageId of storageIds) this.#here.delete(storageId);
      if (this.#others !== undefined) await this.#takeBack(storageIds);
    }
  }

  /**
   * Their ids, whichever router they come by. A table that is not among them any more has its definition by now.
   * @throws ApiError if the cluster fails
   */
  async all(): Promise<ReadonlySet<ByteString>> {
    const all = new Set(this.#here);
    if (this.#others === undefined) return all;
    const nowMs = this.#others.nowMs();
    let after = '';
    for (let more = true; more; ) {
      const outcome = await this.#client.range({
        table: SYSTEM_TABLE,
        partitionKey: PARTITION_KEY,
        lower: { sortKey: after, isInclusive: false },
        upper: { sortKey: END, isInclusive: false },
        order: 'forward',
        limit: PAGE,
        from: 'latest',
        consistency: 'strict',
      });
      if (outcome.kind !== 'items') throw clusterError(outcome);
      for (const { id, sinceMs } of outcome.items.map(rowOf)) {
        after = id;
        if (nowMs - sinceMs < KEPT_MS) all.add(id);
        else await this.#client.write(keyOf(id), { kind: 'delete' }, STRICT);
      }
      more = outcome.more && outcome.items.length > 0;
    }
    return all;
  }

  async #tell(storageIds: readonly ByteString[], sinceMs: number): Promise<void> {
    for (const id of storageIds) {
      const outcome = await this.#client.write(keyOf(id), { kind: 'put', item: imageOf({ id, sinceMs }) }, STRICT);
      if (outcome.kind !== 'applied') {
        if (outcome.kind === 'condition-failed') throw new Error('a write without a condition failed by one');
        throw clusterError(outcome);
      }
    }
  }

  /** A row that stays is of no harm: it goes after a day. */
  async #takeBack(storageIds: readonly ByteString[]): Promise<void> {
    for (const id of storageIds) await this.#client.write(keyOf(id), { kind: 'delete' }, STRICT);
  }
}

interface Row {
  readonly id: ByteString;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
}

function keyOf(id: ByteString): ItemKey {
  return { table: SYSTEM_TABLE, partitionKey: PARTITION_KEY, sortKey: id };
}

function imageOf({ id, sinceMs }: Row): ItemImage {
  const json = Buffer.from(
    JSON.stringify({ id: { S: Buffer.from(id, 'latin1').toString('hex') }, since: { N: `${sinceMs}` } }),
  );
  return { json, size: json.length };
}

function rowOf({ json }: ItemImage): Row {
  const { id, since } = JSON.parse(Buffer.from(json).toString()) as { id: { S: string }; since: { N: string } };
  return { id: Buffer.from(id.S, 'hex').toString('latin1'), sinceMs: Number(since.N) };
}
