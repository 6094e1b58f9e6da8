import { derivationOf } from '../api/derivation.ts';
import { ApiError } from '../api/errors.ts';
import { asBuilt, asFilling, buildingOf, isOlderThanEntries, renewed } from '../api/index-storage.ts';
import { fromImage } from '../api/item.ts';
import type { RequestContext } from '../api/operations.ts';
import { type ByteString, keyOfItem } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { BuildProgress } from './build-progress.ts';
import { clusterError } from './cluster-errors.ts';
import { inParallel } from './in-parallel.ts';
import { ofTable } from './of-table.ts';
import { type OtherRouters, olderInUseMs } from './other-routers.ts';
import { INDEX_BUILDS } from './router-limits.ts';
import { ADMINISTRATOR, type TableCatalog } from './table-catalog.ts';

export interface BuilderParts {
  readonly client: DynamoClient;
  readonly catalog: TableCatalog;
  /** Gives a new random UUID. */
  readonly newId: () => string;
  /**
   * Waits before something that has failed is tried again. @returns false if the server is stopping. Undefined: nothing is
   * tried again.
   */
  readonly wait: ((ms: number) => Promise<boolean>) | undefined;
  /** Undefined: this is the only router. */
  readonly others?: OtherRouters | undefined;
  /** As for `olderInUseMs`. */
  readonly requestLifeMs?: number | undefined;
}

/** How far the indexes of a table are. */
export interface BuildFigures {
  readonly namespace: string;
  readonly table: string;
  readonly indexes: readonly string[];
  /** Partitions of the table whose items have all their entries. */
  readonly partitionsDone: number;
  /** Items that entries were made of, or that had them already. */
  readonly items: number;
}

/** A request that may read an index. */
interface IndexRead {
  readonly TableName: string;
  readonly IndexName?: string;
}

type Place = Pick<Table, 'namespace' | 'name'>;

/** One table whose indexes are being built. */
interface Build {
  readonly place: Place;
  /** Undefined only within the call that begins it. */
  ended: Promise<void> | undefined;
  /** Something has changed since it was looked at. */
  isWantedAgain: boolean;
  figures: BuildFigures | undefined;
}

/**
 * Makes the entries of items that are older than their index, while reads and writes go on (docs/protocol.md section 14.4):
 * after UpdateTable has added an index, and for tables of versions of Dynaring that kept no entries.
 *
 * First nobody may write without knowing of the index any more. Then each item is chosen again unchanged, which makes what is
 * missing, partition by partition; what has been done is kept in the ring, so that another process goes on from there. The
 * index is read when the last entry has arrived.
 */
export class IndexBuilder {
  readonly #parts: BuilderParts;
  readonly #builds = new Map<string, Build>();
  /** Tables that wait for their turn: as many at most as there are tables. */
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #isStopped = false;

  constructor(parts: BuilderParts) {
    this.#parts = parts;
    // Also after an UpdateTable that failed and yet was carried out.
    const defined = (table: Table) => {
      if (needsBuild(table)) this.begin(table);
    };
    parts.catalog.watch({ added: () => {}, removed: () => {}, defined });
  }

  /** Goes on with what another process has left, and begins with tables that have no entries yet. */
  async resume(): Promise<void> {
    for (let isRead = false; !isRead && !this.#isStopped; ) {
      try {
        for await (const tables of this.#parts.catalog.pages(undefined)) {
          for (const table of tables) if (needsBuild(table)) this.begin(table);
        }
        isRead = true;
      } catch {
        if (!(await this.#parts.wait?.(INDEX_BUILDS.longestPauseMs))) return;
      }
    }
  }

  /** Begins to build what is missing in the indexes of a table. */
  begin({ namespace, name }: Place): void {
    const label = `${namespace}/${name}`;
    const known = this.#builds.get(label);
    if (known !== undefined) known.isWantedAgain = true;
    if (this.#isStopped || known !== undefined) return;
    const build: Build = { place: { namespace, name }, ended: undefined, isWantedAgain: false, figures: undefined };
    this.#builds.set(label, build);
    build.ended = this.#inTurn(() => this.#build(label, build));
  }

  /** Resolves when nothing of a table is being built, or after `ms`. */
  async settled({ namespace, name }: Place, ms: number): Promise<void> {
    const build = this.#builds.get(`${namespace}/${name}`);
    if (build === undefined) return;
    await Promise.race([build.ended, ...(this.#parts.wait === undefined ? [] : [this.#parts.wait(ms)])]);
  }

  /**
   * The table of a request that reads it or one of its indexes, once the index has its entries. One that was there before
   * entries were kept is waited for.
   * @throws ApiError as `TableCatalog.tableFor`; if the index is being added; if it takes too long
   */
  tableFor(request: IndexRead, context: RequestContext, namespace: string): Table | Promise<Table> {
    const found = this.#parts.catalog.tableFor(request.TableName, context, namespace);
    if (request.IndexName == null) return found;
    return found instanceof Promise
      ? found.then((table) => this.#whenReadable(table, request))
      : this.#whenReadable(found, request);
  }

  #whenReadable(table: Table, request: IndexRead): Table | Promise<Table> {
    const index = table.indexes.find(({ name }) => name === request.IndexName);
    if (index === undefined || (index.building === undefined && !isOlderThanEntries(table))) return table;
    // Recorded by a user of the service (cloudformation-coverage-roadmap issue 1075).
    if (index.building === 'allocating' || index.building === 'filling') {
      throw ApiError.validation('Cannot read from backfilling global secondary index');
    }
    return this.#whenRenewed(table);
  }

  async #whenRenewed(table: Table): Promise<Table> {
    this.begin(table);
    await this.settled(table, INDEX_BUILDS.renewalWaitMs);
    const present = this.#parts.catalog.cached(table.namespace, table.name) ?? table;
    if (needsBuild(present)) throw clusterError({ kind: 'overloaded' });
    return present;
  }

  /** Whether nothing is being built. */
  get isIdle(): boolean {
    return this.#builds.size === 0;
  }

  /** Resolves when nothing is being built, or after `ms`. @returns whether nothing is */
  async idle(ms: number): Promise<boolean> {
    const all = Promise.all([...this.#builds.values()].map(({ ended }) => ended)).then(() => true);
    return Promise.race([all, ...(this.#parts.wait === undefined ? [] : [this.#parts.wait(ms).then(() => false)])]);
  }

  figures(): readonly BuildFigures[] {
    return [...this.#builds.values()].flatMap(({ figures }) => figures ?? []);
  }

  /** Ends what is under way at its next step. */
  stop(): void {
    this.#isStopped = true;
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#running >= INDEX_BUILDS.tablesAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      await work();
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  /** Tries until the table has all its entries, or is gone. */
  async #build(label: string, build: Build): Promise<void> {
    let pauseMs: number = INDEX_BUILDS.firstPauseMs;
    while (!this.#isStopped) {
      try {
        build.isWantedAgain = false;
        const isComplete = await this.#step(build.place);
        pauseMs = INDEX_BUILDS.firstPauseMs;
        if (isComplete && !build.isWantedAgain) break;
      } catch {
        // Too few nodes are up, or the disk is full: whatever it is, it passes, or the table is deleted.
        if (!(await this.#parts.wait?.(pauseMs))) break;
        pauseMs = Math.min(2 * pauseMs, INDEX_BUILDS.longestPauseMs);
      }
    }
    // In the same turn as the last look at it: what changes from now on begins anew.
    this.#builds.delete(label);
  }

  /** @returns whether nothing is left to be done; false: to be called again */
  async #step({ namespace, name }: Place): Promise<boolean> {
    const { client, catalog, newId, others } = this.#parts;
    const table = await catalog.find(namespace, name, ADMINISTRATOR);
    if (table === undefined || table.transition?.status === 'DELETING') return true;
    if (isOlderThanEntries(table)) {
      await catalog.change(namespace, name, (each) => (isOlderThanEntries(each) ? renewed(each, newId) : each));
      return false;
    }
    const indexes = buildingOf(table);
    const derivation = derivationOf(table);
    if (indexes.length === 0 || derivation === undefined) return true;
    const progress = await BuildProgress.load(client, table);
    if (!progress.isBegun) {
      const olderMs = await olderInUseMs(others, table, this.#parts.requestLifeMs);
      // A server that stops leaves it to the next one.
      if (olderMs > 0 && (await this.#parts.wait?.(olderMs)) === false) return false;
      await client.useDerivation(derivation);
      await progress.save();
    }
    const present = await this.#change(table, asFilling);
    if (present?.storageId !== table.storageId) {
      // Deleted before it was kept how far it is: nobody else removes that any more.
      await progress.remove();
      return false;
    }
    if (!(await this.#fill(table, progress))) return !(await this.#parts.wait?.(INDEX_BUILDS.firstPauseMs));
    await this.#change(table, asBuilt);
    await progress.remove();
    return true;
  }

  /** @returns false if the server is stopping, or the indexes have changed meanwhile */
  async #fill(table: Table, progress: BuildProgress): Promise<boolean> {
    const { client } = this.#parts;
    const build = this.#builds.get(`${table.namespace}/${table.name}`);
    const show = () => {
      if (build === undefined) return;
      const { partitionsDone, items } = progress;
      const indexes = buildingOf(table).map(({ name }) => name);
      build.figures = { namespace: table.namespace, table: table.name, indexes, partitionsDone, items };
    };
    const partitions = Array.from({ length: client.partitions }, (_, partition) => partition);
    const left = partitions.filter((partition) => !progress.isDone(partition));
    await inParallel(left, INDEX_BUILDS.partitionsAtOnce, async (partition) => {
      while (!progress.isDone(partition)) {
        if (!this.#isCurrent(table)) return;
        // A strong read with the newest derivation chooses items again that were made by an older one.
        const page = await client.scan({
          table: table.storageId,
          start: progress.startIn(partition),
          limit: INDEX_BUILDS.itemsAtOnce,
          from: 'latest',
          ...ofTable(table),
        });
        if (page.kind !== 'items') throw clusterError(page);
        const last = page.items.at(-1);
        const after = page.more && last !== undefined ? keyOfItem(table.key, fromImage(last)) : undefined;
        await progress.note(partition, page.items.length, after);
        show();
      }
    });
    return this.#isCurrent(table) && (await this.#arrives(table));
  }

  /** Waits until all entries that are due have arrived, but not for those of items that are written meanwhile. */
  async #arrives(table: Table): Promise<boolean> {
    let pauseMs: number = INDEX_BUILDS.firstDuePollMs;
    let waitedMs = 0;
    while (this.#isCurrent(table)) {
      const due = await this.#parts.client.due(table.storageId, waitedMs);
      if (due === 0) return true;
      if (this.#parts.wait === undefined || !(await this.#parts.wait(pauseMs))) return false;
      waitedMs += pauseMs;
      pauseMs = Math.min(2 * pauseMs, INDEX_BUILDS.longestDuePollMs);
    }
    return false;
  }

  /** Whether the indexes of a table are still those that are built. */
  #isCurrent(table: Table): boolean {
    const present = this.#parts.catalog.cached(table.namespace, table.name);
    // A table that is not at hand is looked up at the next step.
    return !this.#isStopped && present !== undefined && idsOf(present) === idsOf(table);
  }

  /** Changes the state of the indexes that are built, unless they have changed meanwhile. @returns undefined without a table */
  #change(table: Table, change: (table: Table) => Table): Promise<Table | undefined> {
    return this.#parts.catalog.change(table.namespace, table.name, (each) =>
      idsOf(each) === idsOf(table) ? change(each) : each,
    );
  }
}

/** Whether something is missing in the indexes of a table. */
export function needsBuild(table: Table): boolean {
  return isOlderThanEntries(table) || buildingOf(table).length > 0;
}

function idsOf(table: Table): ByteString {
  return `${table.storageId} ${buildingOf(table).map(({ name, storageId }) => `${name} ${storageId}`)}`;
}
