import type { Ballot } from '../dynamo/ballot.ts';
import type { StoreKey } from '../env/store.ts';
import type { TraceRecord } from './trace-record.ts';

/** Records of one key; beyond, those whose requests have ended are forgotten, so that a hot key is looked through fast. */
const KEPT_PER_KEY = 8;

/** Finds the request that a message about a key belongs to. Most keys have one, so an array is made for a second only. */
export class TracesByKey {
  /** Oldest first. */
  readonly #records = new Map<StoreKey, TraceRecord | TraceRecord[]>();

  /** The record stands under its key until it is removed, or its request has long ended. */
  add(record: TraceRecord): void {
    const key = record.key!;
    const present = this.#records.get(key);
    if (present === undefined) this.#records.set(key, record);
    else if (Array.isArray(present)) {
      present.push(record);
      if (present.length > KEPT_PER_KEY) this.#dropEnded(present);
    } else this.#records.set(key, [present, record]);
  }

  remove(record: TraceRecord): void {
    const { key } = record;
    if (key === undefined) return;
    const present = this.#records.get(key);
    if (present === record) this.#records.delete(key);
    else if (Array.isArray(present)) {
      const at = present.indexOf(record);
      if (at >= 0) present.splice(at, 1);
      if (present.length === 0) this.#records.delete(key);
    }
  }

  #dropEnded(records: TraceRecord[]): void {
    const at = records.findIndex(({ isCoordinated }) => !isCoordinated);
    if (at >= 0) records.splice(at, 1);
  }

  ofBallot(key: StoreKey, ballot: Ballot): TraceRecord | undefined {
    const present = this.#records.get(key);
    if (Array.isArray(present)) return present.find((record) => record.attempted(ballot));
    return present?.attempted(ballot) ? present : undefined;
  }

  /** Of those that this node coordinates. @param except one that is passed over */
  oldestWrite(key: StoreKey, coordinator: string, except: TraceRecord | undefined): TraceRecord | undefined {
    const present = this.#records.get(key);
    if (present === undefined) return undefined;
    if (!Array.isArray(present))
      return present !== except && isCoordinated(present, true, coordinator) ? present : undefined;
    return present.find((record) => record !== except && isCoordinated(record, true, coordinator));
  }

  youngestWrite(key: StoreKey, coordinator: string): TraceRecord | undefined {
    return this.#youngest(key, coordinator, true);
  }

  youngestRead(key: StoreKey, coordinator: string): TraceRecord | undefined {
    return this.#youngest(key, coordinator, false);
  }

  #youngest(key: StoreKey, coordinator: string, isWrite: boolean): TraceRecord | undefined {
    const present = this.#records.get(key);
    if (present === undefined) return undefined;
    if (!Array.isArray(present)) return isCoordinated(present, isWrite, coordinator) ? present : undefined;
    return present.findLast((record) => isCoordinated(record, isWrite, coordinator));
  }
}

function isCoordinated(record: TraceRecord, isWrite: boolean, coordinator: string): boolean {
  return record.isCoordinated && record.isWrite === isWrite && record.coordinator === coordinator;
}
