import { derivationOf } from '../api/derivation.ts';
import type { ByteString } from '../api/primary-key.ts';
import { isOlderThanChanges, type NewStreams, withEnabledStream, withRenewedStream } from '../api/stream-storage.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import type { StreamClient } from '../dynamo/stream-client.ts';
import { BackgroundWork } from './background-work.ts';
import { clusterError } from './cluster-errors.ts';
import { type OtherRouters, olderInUseMs } from './other-routers.ts';
import type { Place } from './stored-definitions.ts';
import {
  endStreamRow,
  isOver,
  listStreamRows,
  removeStreamRow,
  type StreamRow,
  streamRowPages,
} from './stream-rows.ts';
import type { TableCatalog } from './table-catalog.ts';

export interface StreamKeeperParts {
  readonly client: DynamoClient;
  readonly streams: StreamClient;
  readonly catalog: TableCatalog;
  readonly newStreams: NewStreams;
  /** The clock of the API, in ms since 1970. */
  readonly nowMs: () => number;
  /** Waits before something is tried again. @returns false if the server is stopping. Undefined: nothing is. */
  readonly wait: ((ms: number) => Promise<boolean>) | undefined;
  /** Undefined: this is the only router. */
  readonly others?: OtherRouters | undefined;
  /** As for `olderInUseMs`. */
  readonly requestLifeMs?: number | undefined;
}

/** Rows of streams that are read at a time. */
const PAGE = 100;
/** Streams of one table that are looked at: as many as can be enabled and disabled in a day by anybody in earnest. */
const STREAMS_OF_TABLE = 1_000;
/** Pauses between two looks whether the last changes are in the log. */
const POLL_MS = 20;

/**
 * What streams need beside requests: one that is enabled gets all changes only when every write knows of it, one that is
 * disabled ends when the last change is in its log, and one that is over is forgotten (docs/protocol.md section 18.5).
 *
 * All of that is found again from definitions and rows, so another process goes on with what one has left.
 */
export class StreamKeeper {
  readonly #parts: StreamKeeperParts;
  readonly #work: BackgroundWork;

  constructor(parts: StreamKeeperParts) {
    this.#parts = parts;
    this.#work = new BackgroundWork(parts.wait);
    // Also after an UpdateTable that failed and yet was carried out.
    const defined = (table: Table) => {
      if (isUnfinished(table)) this.begin(table);
    };
    parts.catalog.watch({ added: () => {}, removed: () => {}, defined });
  }

  /** Looks at the streams of a table, which may have changed or be gone. */
  begin({ namespace, name }: Place): void {
    this.#work.begin(`${namespace}/${name}`, () => this.#step({ namespace, name }));
  }

  /** As `begin`, after a while: of a table that is still seen to be deleted for so long. */
  async beginLater(place: Place, ms: number): Promise<void> {
    if (await this.#parts.wait?.(ms)) this.begin(place);
  }

  /** Resolves when nothing is left to do for the streams of a table, or after `ms`. */
  settled({ namespace, name }: Place, ms: number): Promise<void> {
    return this.#work.settled(`${namespace}/${name}`, ms);
  }

  /** Goes on with what another process has left. Called once at the start; failures are left to `sweep`. */
  async resume(): Promise<void> {
    try {
      for await (const tables of this.#parts.catalog.pages(undefined)) {
        for (const table of tables) if (isUnfinished(table)) this.begin(table);
      }
      await this.#lookAtRows();
    } catch {
      // Too few nodes are up.
    }
  }

  /**
   * Ends streams that are nobody's any more, and forgets those that are over.
   * @param trimBeforeMs changes of before this time are forgotten, too; by the clocks of the nodes, not that of the API
   * @throws ApiError if the cluster fails
   */
  async sweep(trimBeforeMs: number): Promise<void> {
    const { client, streams } = this.#parts;
    await this.#lookAtRows();
    for await (const rows of streamRowPages(client, undefined, PAGE)) {
      for (const { storageId: stream, shards } of rows) {
        for (let shard = 0; shard < shards && !this.#work.isStopped; shard++) {
          let isDone = false;
          while (!isDone && !this.#work.isStopped) {
            const outcome = await streams.trimLog({ stream, shard, shards, beforeMs: trimBeforeMs });
            isDone = outcome.kind !== 'cells-trimmed' || outcome.isDone;
          }
        }
      }
    }
  }

  /**
   * Forgets the streams of a namespace or, if it is undefined, of all.
   * @param kept but not these
   */
  async forgetAll(namespace: string | undefined, kept: ReadonlySet<ByteString>): Promise<void> {
    for await (const rows of streamRowPages(this.#parts.client, namespace, PAGE)) {
      for (const row of rows) if (!kept.has(row.storageId)) await this.#forget(row);
    }
  }

  /** Ends what is under way at its next step. */
  stop(): void {
    this.#work.stop();
  }

  async #lookAtRows(): Promise<void> {
    const { client, catalog, nowMs } = this.#parts;
    for await (const rows of streamRowPages(client, undefined, PAGE)) {
      for (const row of rows) {
        if (isOver(row, nowMs())) await this.#forget(row);
        if (row.endedAtMs !== undefined) continue;
        const known = catalog.cached(row.namespace, row.table);
        if (known?.stream?.storageId !== row.storageId) this.begin({ namespace: row.namespace, name: row.table });
      }
    }
  }

  async #forget(row: StreamRow): Promise<void> {
    await this.#parts.streams.forgetStream(row.storageId);
    await removeStreamRow(this.#parts.client, row);
  }

  /** @returns whether nothing is left to be done; false: to be called again */
  async #step({ namespace, name }: Place): Promise<boolean> {
    const { client, catalog, newStreams, nowMs } = this.#parts;
    // Before the definition: a row follows the definition that has its stream, so one that is not there by then is of the past.
    const { rows } = await listStreamRows(client, {
      namespace,
      table: name,
      after: undefined,
      limit: STREAMS_OF_TABLE,
    });
    // A table that has been DELETING for its time goes now.
    const table = await catalog.present(namespace, name, { kind: 'client', nowMs: nowMs() });
    const present = table?.transition?.status === 'DELETING' ? undefined : table;
    if (present !== undefined && isOlderThanChanges(present)) {
      const renew = (each: Table) => (isOlderThanChanges(each) ? withRenewedStream(each, newStreams) : each);
      await catalog.change(namespace, name, renew);
      return false;
    }
    if (present?.stream?.isEnabling) {
      if (!(await this.#isInForce(present))) return false;
      const isSame = (each: Table) => each.stream?.storageId === present.stream?.storageId;
      await catalog.change(namespace, name, (each) => (isSame(each) ? withEnabledStream(each) : each));
      return false;
    }
    for (const row of rows) {
      const isLeft = row.endedAtMs === undefined && row.storageId !== table?.stream?.storageId;
      if (isLeft && !(await this.#end(row, table))) return false;
    }
    return true;
  }

  /** Ends the log of a stream that no table has any more. @returns false if the server is stopping */
  async #end(row: StreamRow, table: Table | undefined): Promise<boolean> {
    const { client, streams, nowMs, wait } = this.#parts;
    if (table?.storageId === row.tableStorageId) {
      if (!(await this.#isInForce(table))) return false;
      for (let waitedMs = 0; (await client.due(table.storageId, waitedMs)) > 0; waitedMs += POLL_MS) {
        if (this.#work.isStopped || !(await wait?.(POLL_MS))) return false;
      }
    }
    const outcome = await streams.endStream({ stream: row.storageId, shards: row.shards });
    if (outcome.kind !== 'log-ended') throw clusterError(outcome);
    await endStreamRow(client, row, nowMs());
    return true;
  }

  /** Waits until no round goes by an older derivation of a table. @returns false if the server is stopping */
  async #isInForce(table: Table): Promise<boolean> {
    const { client, others, requestLifeMs, wait } = this.#parts;
    const derivation = derivationOf(table);
    if (derivation === undefined) return true;
    const olderMs = await olderInUseMs(others, table, requestLifeMs);
    if (olderMs > 0 && (await wait?.(olderMs)) === false) return false;
    await client.useDerivation(derivation);
    return true;
  }
}

/** Whether something is to be done for the present stream of a table. */
function isUnfinished(table: Table): boolean {
  return table.stream?.isEnabling === true || isOlderThanChanges(table);
}
