import { logPrefix, partitionOfLog } from '../../src/dynamo/keyspace.ts';
import { cellKey } from '../../src/dynamo/log/log-keys.ts';
import type { LoggedChange, LogOutcome, LogPosition } from '../../src/dynamo/stream-client.ts';
import { type Random, randomBelow } from '../../src/env/random.ts';
import type { ChosenRecords } from './chosen-records.ts';
import { STREAM } from './indexed-items.ts';
import type { SimulatedHost } from './simulated-host.ts';
import { knownLogs, showChange } from './stream-checker.ts';
import type { Trace } from './trace.ts';
import { CLOCK_START_MS, type VirtualTime } from './virtual-time.ts';

/** Of each shard. */
const READERS = 2;
/** Between two questions, at most. */
const REST_MS = 160;
const LONG_REST_MS = 3_000;
/** A reader asks again after so long. */
const PATIENCE_MS = 300;
const BEGINNING: LogPosition = { cell: 0, offset: 0 };

/** What a reader was told, in order. */
type Told =
  | { readonly kind: 'change'; readonly change: LoggedChange }
  /** What it asked for is not kept any more. */
  | { readonly kind: 'jump'; readonly to: LogPosition };

interface Reader {
  readonly name: string;
  /** Of the log. */
  readonly partition: number;
  position: LogPosition;
  readonly told: Told[];
  /** The request whose answer it waits for. */
  asked: number;
}

interface StreamReadersParts {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly trace: Trace;
  readonly hosts: readonly SimulatedHost[];
  /** Q */
  readonly partitions: number;
  readonly shards: number;
  /** How old cells are that are trimmed; undefined: none is. */
  readonly trimsAfterMs: number | undefined;
}

/** Clients that follow the logs of a stream, each from its beginning on, by whatever node. */
export class StreamReaders {
  readonly #parts: StreamReadersParts;
  readonly #readers: Reader[] = [];
  #requests = 0;
  #isStopped = false;

  constructor(parts: StreamReadersParts) {
    this.#parts = parts;
    const { shards, partitions } = parts;
    for (let shard = 0; shard < shards; shard++) {
      const partition = partitionOfLog((shard * partitions) / shards, shards, partitions);
      for (let i = 0; i < READERS; i++) {
        this.#readers.push({ name: `reader ${shard}.${i}`, partition, position: BEGINNING, told: [], asked: 0 });
      }
    }
  }

  start(): void {
    for (const reader of this.#readers) this.#readOn(reader);
    if (this.#parts.trimsAfterMs !== undefined) this.#trim(this.#parts.trimsAfterMs);
  }

  /** Every reader reads to the end of its log. `done` may never be called. */
  finish(done: () => void): void {
    this.#isStopped = true;
    let left = this.#readers.length;
    const end = () => {
      if (--left === 0) done();
    };
    for (const reader of this.#readers) this.#readToEnd(reader, end);
  }

  /** How what they were told differs from the logs. */
  findFaults(chosen: ChosenRecords): string[] {
    const faults: string[] = [];
    const logs = knownLogs(chosen, []);
    for (const { name, partition, told } of this.#readers) {
      const log = logs.get(partition) ?? [];
      const all = log.flatMap(({ changes, isTrimmed }, cell) =>
        changes.map((change, offset) => ({ cell, offset, shown: showChange(change), isTrimmed })),
      );
      let at = 0;
      const skip = (isSkipped: (entry: (typeof all)[number]) => boolean) => {
        while (at < all.length && isSkipped(all[at]!)) at++;
      };
      for (const each of told) {
        if (each.kind === 'jump') {
          skip(({ cell, isTrimmed }) => cell < each.to.cell && isTrimmed);
          continue;
        }
        const { position, ...change } = each.change;
        const is = `${position.cell}.${position.offset} ${showChange(change)}`;
        const want = all[at++];
        if (want !== undefined && `${want.cell}.${want.offset} ${want.shown}` === is) continue;
        faults.push(`${name} was shown ${is} instead of ${want && `${want.cell}.${want.offset} ${want.shown}`}`);
        at = all.length;
        break;
      }
      if (at < all.length) faults.push(`${name} was not shown ${all.length - at} changes at the end of the log`);
    }
    return faults;
  }

  #readOn(reader: Reader): void {
    const { time, random, trimsAfterMs } = this.#parts;
    // Who rests for long comes back to cells that are trimmed and purged.
    const restMs = trimsAfterMs !== undefined && random.next() < 0.2 ? LONG_REST_MS : REST_MS;
    time.after(20 + random.next() * restMs, () => {
      if (this.#isStopped) return;
      this.#ask(reader, () => this.#readOn(reader));
    });
  }

  /** What is old is trimmed, by whoever is there. */
  #trim(afterMs: number): void {
    const { time, random, hosts, partitions } = this.#parts;
    time.after(40 + random.next() * 200, () => {
      if (this.#isStopped) return;
      this.#trim(afterMs);
      const ready = hosts.filter(({ votes }) => votes);
      if (ready.length === 0) return;
      const { partition } = this.#readers[randomBelow(random, this.#readers.length)]!;
      const key = cellKey(logPrefix(STREAM, partition, partitions), 0);
      const beforeMs = CLOCK_START_MS + time.nowMs - afterMs;
      const request = { kind: 'trim-log', requestId: undefined, key, beforeMs } as const;
      ready[randomBelow(random, ready.length)]!.remote!.coordinate(request, (outcome) => {
        if (outcome.kind === 'cells-trimmed') this.#note(`${outcome.cells} cells are trimmed`);
      });
    });
  }

  #readToEnd(reader: Reader, done: () => void): void {
    this.#ask(reader, (outcome) => {
      const isAtEnd = outcome?.kind === 'changes' && outcome.changes.length === 0;
      if (isAtEnd) done();
      else this.#readToEnd(reader, done);
    });
  }

  /** `then` gets the answer, or nothing after a while. */
  #ask(reader: Reader, then: (outcome: LogOutcome | undefined) => void): void {
    const { time, random, hosts, partitions } = this.#parts;
    const ready = hosts.filter(({ votes }) => votes);
    if (ready.length === 0) {
      time.after(PATIENCE_MS, () => then(undefined));
      return;
    }
    const host = ready[randomBelow(random, ready.length)]!;
    const { cell, offset } = reader.position;
    const key = cellKey(logPrefix(STREAM, reader.partition, partitions), cell);
    const limit = 1 + randomBelow(random, 6);
    const asked = ++this.#requests;
    reader.asked = asked;
    const end = (outcome: LogOutcome | undefined) => {
      if (reader.asked !== asked) return;
      reader.asked = 0;
      this.#note(`${reader.name} at ${cell}.${offset}: ${outcome === undefined ? 'no answer' : showOutcome(outcome)}`);
      if (outcome?.kind === 'changes') {
        reader.told.push(...outcome.changes.map((change) => ({ kind: 'change', change }) as const));
        reader.position = outcome.next;
      } else if (outcome?.kind === 'trimmed') {
        reader.told.push({ kind: 'jump', to: outcome.lowest });
        reader.position = outcome.lowest;
      }
      then(outcome);
    };
    time.after(PATIENCE_MS, () => end(undefined));
    host.remote!.coordinate({ kind: 'read-log', requestId: undefined, key, offset, limit }, end);
  }

  #note(what: string): void {
    this.#parts.trace.add(this.#parts.time.nowMs, what);
  }
}

function showOutcome(outcome: LogOutcome): string {
  if (outcome.kind === 'trimmed') return `trimmed up to ${outcome.lowest.cell}`;
  if (outcome.kind !== 'changes') return outcome.kind;
  return outcome.changes.map((change) => showChange(change)).join(', ') || 'nothing new';
}
