import type { ItemImage } from '../../src/api/item.ts';
import { sameBallot } from '../../src/dynamo/ballot.ts';
import { collectionOf, isLogKey, partitionOf } from '../../src/dynamo/keyspace.ts';
import { type CellChange, decodeCell } from '../../src/dynamo/log/log-cell.ts';
import { cellOf, retentionKey } from '../../src/dynamo/log/log-keys.ts';
import type { StoreKey } from '../../src/env/store.ts';
import type { ChosenRecords } from './chosen-records.ts';
import { itemNameIn } from './indexed-items.ts';
import { registerValueOf } from './item-value.ts';
import { showBallot } from './trace.ts';
import type { SimulatedKey } from './workload.ts';

/** A cell of a log, as it was first chosen. */
interface KnownCell {
  readonly changes: readonly CellChange[];
  /** Whether it was deleted. */
  readonly isTrimmed: boolean;
}

/** By the partition of the log, its cells in their order. */
export type KnownLogs = ReadonlyMap<number, readonly KnownCell[]>;

/** The logs of a history, as nobody who takes part knows them. @param faults gets what is wrong with their cells */
export function knownLogs(chosen: ChosenRecords, faults: string[]): KnownLogs {
  const logs = new Map<number, KnownCell[]>();
  for (const key of chosen.keys) {
    if (!isLogKey(key) || isRetention(key)) continue;
    const records = chosen.chosen(key);
    const contents = records.flatMap(({ item }) => (item === undefined ? [] : [item]));
    const where = `cell ${cellOf(key)} of partition ${partitionOf(key)}`;
    const [first] = contents;
    if (first === undefined) {
      if (records.length > 0) faults.push(`${where} was deleted before it was written`);
      continue;
    }
    if (!contents.every(({ json }) => Buffer.compare(json, first.json) === 0))
      faults.push(`${where} was written twice`);
    const cell = decodeCell(first);
    const log = logs.get(partitionOf(key)) ?? [];
    log[cellOf(key)] = {
      changes: cell.kind === 'batch' ? cell.changes : [],
      isTrimmed: contents.length < records.length,
    };
    logs.set(partitionOf(key), log);
  }
  for (const [partition, log] of logs) {
    for (let cell = 0; cell < log.length; cell++) {
      if (log[cell] !== undefined) continue;
      faults.push(`cell ${cell} of partition ${partition} was never written`);
      log[cell] = { changes: [], isTrimmed: false };
    }
  }
  return logs;
}

function isRetention(key: StoreKey): boolean {
  return key === retentionKey(collectionOf(key));
}

/** How the logs differ from what has changed in the table: each version once, those of an item in order. */
export function findStreamFaults(chosen: ChosenRecords, keys: readonly SimulatedKey[]): string[] {
  const faults: string[] = [];
  const logged = [...knownLogs(chosen, faults).values()].flat().flatMap(({ changes }) => changes);
  const retentionHlc = retentionOf(chosen);
  for (const { name, storeKey } of keys) {
    const shown = logged.filter(({ key }) => itemNameIn(key) === name);
    let before: ItemImage | undefined;
    let at = 0;
    for (const { ballot, item } of chosen.ancestry(storeKey)) {
      const [old, next] = [registerValueOf(before), registerValueOf(item)];
      before = item;
      if (old === next) continue;
      const change = shown[at];
      // What is older than what was trimmed need not be there.
      const isThere = change !== undefined && sameBallot(change.ballot, ballot);
      if (!isThere && ballot.hlc < retentionHlc) continue;
      at++;
      const is = change && `${showBallot(change.ballot)} ${showChange(change)}`;
      const want = `${showBallot(ballot)} ${old}->${next}`;
      if (is === want) continue;
      faults.push(`the log has ${is} of ${name} instead of ${want}`);
      break;
    }
    const rest = shown.slice(at);
    if (faults.length === 0 && rest.length > 0) {
      faults.push(
        `the log has ${rest.map(({ ballot }) => showBallot(ballot)).join(', ')} of ${name} beyond what it should`,
      );
    }
  }
  return faults;
}

/** The highest time that was ever chosen to be the retention of a log. */
function retentionOf(chosen: ChosenRecords): number {
  let highest = 0;
  for (const key of chosen.keys) {
    if (!isLogKey(key) || !isRetention(key)) continue;
    for (const { item } of chosen.chosen(key)) {
      if (item !== undefined)
        highest = Math.max(highest, Number(JSON.parse(Buffer.from(item.json).toString()).before.N));
    }
  }
  return highest;
}

/** A change of a stream that shows both images. */
export function showChange({ old, next }: Pick<CellChange, 'old' | 'next'>): string {
  return `${registerValueOf(old)}->${registerValueOf(next)}`;
}
