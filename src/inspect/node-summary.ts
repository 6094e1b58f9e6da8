import { tableOf } from '../dynamo/keyspace.ts';
import type { PartitionConfig } from '../dynamo/messages.ts';
import { ballotIn, isTombstone } from '../dynamo/record.ts';
import { DAMAGED, type StoreKey } from '../env/store.ts';
import type { StoredJournal, StoredRows } from '../env/stored-rows.ts';
import { timeOf } from './stored-version.ts';

/** The records of one table on one node. */
export interface TableSummary {
  readonly storageId: string;
  items: number;
  tombstones: number;
  damaged: number;
  /** Total size of the encoded records. */
  bytes: number;
  /** The time of the newest ballot. */
  newest: string | undefined;
}

/** A partition in which a node votes. */
export interface VoteSummary {
  readonly partition: number;
  readonly epoch: number;
  readonly isSealed: boolean;
  readonly members: readonly string[];
}

/** What one node's folder holds. */
export interface NodeSummary {
  readonly node: string;
  readonly diskId: number | undefined;
  /** How often a node was started on this disk. */
  readonly boots: number;
  /** The ceiling: no ballot above this time was promised. */
  readonly ceiling: string | undefined;
  readonly votes: readonly VoteSummary[];
  /** Partitions in which the node has given up its vote. */
  readonly left: readonly number[];
  /** The numbers of further rows of `meta`. */
  readonly staged: number;
  readonly lateTombstones: number;
  readonly damagedKeys: number;
  /** Damaged rows of the node's own state: the node would lose its disk at its next start. */
  readonly damagedState: readonly string[];
  readonly tables: readonly TableSummary[];
  /** Accepted records that are not known to be committed. */
  readonly accepted: number;
  /** Hints by the home node that they are kept for. */
  readonly hints: Readonly<Record<string, number>>;
  readonly dataBytes: number;
  readonly journal: StoredJournal;
}

/** Reads everything a node has, one row at a time. The time it takes grows with the number of rows. */
export function summariseNode(node: string, rows: StoredRows): NodeSummary {
  const state = readState(rows);
  const ceiling = state.one('ceiling') as number | undefined;
  const votes = state.all<{ config: PartitionConfig; isSealed: boolean }>('vote/');
  const left = state.all<PartitionConfig>('left/');
  const hints: Record<string, number> = {};
  for (const { key } of rows.rows('hints')) {
    const home = key.slice(0, key.indexOf('\0'));
    hints[home] = (hints[home] ?? 0) + 1;
  }
  return {
    node,
    diskId: (state.one('identity') as { diskId?: number } | undefined)?.diskId,
    boots: (state.one('boot') as number | undefined) ?? 0,
    ceiling: ceiling === undefined ? undefined : timeOf(ceiling),
    votes: votes.map(({ config, isSealed }) => ({
      partition: config.partition,
      epoch: config.epoch,
      isSealed,
      members: config.members.map((member) => member.node),
    })),
    left: left.map(({ partition }) => partition),
    staged: count(rows.rows('meta', 'staged/')),
    lateTombstones: count(rows.rows('meta', 'late/')),
    damagedKeys: count(rows.rows('meta', 'damaged/')),
    damagedState: state.damaged,
    tables: summariseTables(rows),
    accepted: count(rows.rows('paxos')),
    hints,
    dataBytes: rows.dataBytes,
    journal: rows.journal,
  };
}

/** The newest config of each partition that a node has acted on, by voting or by giving up its vote. */
export function configsActedOn(rows: StoredRows): readonly PartitionConfig[] {
  const state = readState(rows);
  const votes = state.all<{ config: PartitionConfig }>('vote/').map(({ config }) => config);
  return [...votes, ...state.all<PartitionConfig>('left/')];
}

function summariseTables(rows: StoredRows): readonly TableSummary[] {
  const tables = new Map<string, TableSummary & { newestHlc: number }>();
  for (const { key, value } of rows.rows('items')) {
    const storageId = Buffer.from(tableOf(key), 'latin1').toString('hex');
    const none = { storageId, items: 0, tombstones: 0, damaged: 0, bytes: 0, newest: undefined, newestHlc: 0 };
    const table = tables.get(storageId) ?? none;
    tables.set(storageId, table);
    if (value === DAMAGED) {
      table.damaged++;
      continue;
    }
    table.bytes += value.length;
    if (isTombstone(value)) table.tombstones++;
    else table.items++;
    table.newestHlc = Math.max(table.newestHlc, ballotIn(value).hlc);
  }
  return [...tables.values()].map(({ newestHlc, ...table }) => ({
    ...table,
    newest: newestHlc === 0 ? undefined : timeOf(newestHlc),
  }));
}

/** Reads the JSON rows of `meta`. */
function readState(rows: StoredRows) {
  const damaged: string[] = [];
  const parse = (key: StoreKey, value: Uint8Array): unknown => {
    if (value !== DAMAGED) return JSON.parse(Buffer.from(value).toString());
    damaged.push(key.replace(/[^!-~].*/s, '…'));
    return undefined;
  };
  return {
    damaged,
    one(key: StoreKey): unknown {
      const row = rows.get('meta', key);
      return row === undefined ? undefined : parse(key, row.value);
    },
    all<T>(prefix: string): T[] {
      const found = [...rows.rows('meta', prefix)].map(({ key, value }) => parse(key, value));
      return found.filter((each) => each !== undefined) as T[];
    },
  };
}

function count(rows: Iterable<unknown>): number {
  let found = 0;
  for (const _ of rows) found++;
  return found;
}
