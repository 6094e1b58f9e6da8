import { derivationImage, derivationKey } from '../../src/api/derivation.ts';
import { type RangeOutcome, SYSTEM_TABLE } from '../../src/dynamo/client.ts';
import { storeKeyOf, tableRange } from '../../src/dynamo/keyspace.ts';
import type { NodeLimits } from '../../src/dynamo/node-settings.ts';
import type { WriteAnswer } from '../../src/dynamo/registers/handed-back.ts';
import { type Random, randomBelow } from '../../src/env/random.ts';
import { keyAfter, type StoreKey } from '../../src/env/store.ts';
import { rangeOf, writeOf } from '../dynamo/coordination-requests.ts';
import { type IndexedItems, itemNameIn } from './indexed-items.ts';
import type { SimulatedHost } from './simulated-host.ts';
import type { Trace } from './trace.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { SimulatedKey } from './workload.ts';

/** For so long some clients know the table as it is now, and some as it was. */
const SPREAD_MS = 40;
const RETRY_MS = 15;
/** Keys that a page of the back-fill takes. */
const PAGE = 2;

/** What a router does for the indexes of a table: it tells the nodes what is derived from it, and fills new indexes. */
export class IndexChange {
  readonly #parts: IndexChangeParts;
  /** Whether everything that the change takes is done. */
  isDone = false;
  #isCreated = false;
  #isDue = false;

  constructor(parts: IndexChangeParts) {
    this.#parts = parts;
  }

  /** The table is created. `ready` is called when its derivation is known. */
  create(ready: () => void): void {
    this.#writeDerivation(() => {
      this.#isCreated = true;
      ready();
      if (this.#isDue) this.begin();
    });
  }

  /** The table gets its other indexes, as soon as it is created: what is derived from it is written in order. */
  begin(): void {
    const { items, time } = this.#parts;
    this.#isDue = true;
    if (!this.#isCreated) return;
    this.#note('the indexes of the table change');
    items.change();
    this.#writeDerivation(() => {
      items.spread('some');
      time.after(SPREAD_MS, () => {
        items.spread('all');
        if (items.dropped !== undefined) return this.#forget();
        const fill = () => {
          this.#note('the new index is filled');
          this.#fill(0, undefined);
        };
        if (this.#parts.hasBarrier) this.#awaitOlder(fill);
        else fill();
      });
    });
  }

  /** As `RingClient.useDerivation`: goes on when no round by the older derivation can choose anything any more. */
  #awaitOlder(then: () => void): void {
    const { hosts, items, time, limits } = this.#parts;
    const sinceMs = time.nowMs;
    const latestMs = sinceMs + limits.opLifeMs + limits.messageLifeMs;
    const silent = new Set(hosts);
    for (const host of hosts) {
      host.remote?.coordinate({ kind: 'use-derivation', derivation: items.latest }, ({ kind }) => {
        if (kind === 'used') silent.delete(host);
      });
    }
    const look = () => {
      const quietMs = Math.max(...hosts.map(({ lastCrashMs }) => lastCrashMs)) + limits.messageLifeMs;
      const isQuiet = silent.size === 0 && time.nowMs >= quietMs && !this.#parts.isOlderUnderWay();
      if (isQuiet || time.nowMs >= latestMs) then();
      else time.after(2, look);
    };
    look();
  }

  #writeDerivation(done: () => void): void {
    const { items, partitions } = this.#parts;
    const { latest } = items;
    const partitionKey = derivationKey(latest.table);
    const key = storeKeyOf({ table: SYSTEM_TABLE, partitionKey, sortKey: '' }, partitions);
    const mutation = { kind: 'put', item: derivationImage(latest) } as const;
    this.#ask<WriteAnswer>(
      (host, reply) => host.remote!.coordinate(writeOf(key, mutation, { partitionKey }), reply),
      ({ kind }) => (kind === 'applied' ? done : undefined),
    );
  }

  #forget(): void {
    const { hosts, items } = this.#parts;
    const table = items.dropped!;
    for (const { remote } of hosts) remote?.coordinate({ kind: 'forget-table', table }, () => {});
    this.isDone = true;
  }

  /** Reads all items strongly, by the new derivation: those that were made by the older are chosen again. */
  #fill(partition: number, after: StoreKey | undefined): void {
    const { items, partitions } = this.#parts;
    if (partition === partitions) {
      this.#note('the new index is filled to the end');
      this.isDone = true;
      return;
    }
    const { from, to } = tableRange(partition, items.latest.table);
    const range = { from: after === undefined ? from : keyAfter(after), to };
    const request = rangeOf(range, 'latest', { limit: PAGE, derivation: items.latest });
    this.#ask<RangeOutcome>(
      (host, reply) => host.remote!.coordinate(request, reply),
      (outcome) => {
        if (outcome.kind !== 'items') return undefined;
        const last = outcome.items.at(-1);
        if (!outcome.more || last === undefined) return () => this.#fill(partition + 1, undefined);
        const key = this.#parts.keys().find(({ name }) => name === itemNameIn(last))!;
        return () => this.#fill(partition, key.storeKey);
      },
    );
  }

  /**
   * Asks some node that runs, and another one if it does not answer, until one has done it.
   * @param next what comes next; nothing if it has not been done
   */
  #ask<Outcome>(
    ask: (host: SimulatedHost, reply: (outcome: Outcome) => void) => void,
    next: (outcome: Outcome) => (() => void) | undefined,
  ): void {
    const { hosts, random, time, limits } = this.#parts;
    let tries = 0;
    const begin = () => {
      const own = ++tries;
      const ended = (then: (() => void) | undefined) => {
        if (own !== tries) return;
        tries++;
        if (then === undefined) time.after(RETRY_MS * (0.5 + random.next()), begin);
        else then();
      };
      const ready = hosts.filter(({ votes }) => votes);
      if (ready.length === 0) return ended(undefined);
      time.after(limits.opLifeMs + limits.phaseTimeoutMs, () => ended(undefined));
      ask(ready[randomBelow(random, ready.length)]!, (outcome) => ended(next(outcome)));
    };
    begin();
  }

  #note(what: string): void {
    this.#parts.trace.add(this.#parts.time.nowMs, `-- ${what}`);
  }
}

export interface IndexChangeParts {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly trace: Trace;
  readonly hosts: readonly SimulatedHost[];
  readonly items: IndexedItems;
  readonly partitions: number;
  readonly limits: NodeLimits;
  readonly keys: () => readonly SimulatedKey[];
  /** Whether a client waits for an answer to a request that carried an older derivation. */
  readonly isOlderUnderWay: () => boolean;
  /** Whether rounds by what was derived before are waited for. */
  readonly hasBarrier: boolean;
}
