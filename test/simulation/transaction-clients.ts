import type { Derivation } from '../../src/api/derivation.ts';
import type { ItemImage } from '../../src/api/item.ts';
import type { ItemKey, WriteOutcome } from '../../src/dynamo/client.ts';
import type { CoordinateWrite, LookAnswer } from '../../src/dynamo/coordination-messages.ts';
import { partitionOf, storeKeyOf } from '../../src/dynamo/keyspace.ts';
import type { NodeLimits } from '../../src/dynamo/node-settings.ts';
import type { Rules } from '../../src/dynamo/rules.ts';
import { runTask } from '../../src/dynamo/task.ts';
import type { TransactionOutcome } from '../../src/dynamo/transaction-client.ts';
import { readTogether } from '../../src/dynamo/transactions/read-together.ts';
import { transact } from '../../src/dynamo/transactions/transact.ts';
import type { TransactionDoor } from '../../src/dynamo/transactions/transaction-door.ts';
import { type Random, randomBelow } from '../../src/env/random.ts';
import { writeOf } from '../dynamo/coordination-requests.ts';
import type { History, RunningTransaction } from './history.ts';
import { registerValueOf } from './item-value.ts';
import type { SimulatedHost } from './simulated-host.ts';
import type { Trace } from './trace.ts';
import { changeOf, type TogetherAction, type TransactionAction } from './transaction-action.ts';
import { SimulatedClock, type VirtualTime } from './virtual-time.ts';
import type { Coordinate, SimulatedKey } from './workload.ts';

/** How a leader may fare. */
const DEATH_CHANCE = 0.2;
/** A client of the ring that hears nothing gives up a request after a while; its coordinator may go on. */
const GIVES_UP_EARLY = 0.08;
/** Half of those requests are late on the way to their coordinator, by up to so long: it gets them when nobody waits any more. */
const LATE_MS = 500;
const WORST_SKEW_MS = 300;
/** How often a transaction with a token is sent again. */
const TRIES = 4;

/** Leads transactions as clients of the ring do, by the very code; any of them may die in the middle of it. */
export class TransactionClients {
  readonly #parts: TransactionClientsParts;
  #tokens = 0;

  constructor(parts: TransactionClientsParts) {
    this.#parts = parts;
  }

  /** @param told of what is shown of the answer; never if its leader dies */
  transact(who: string, action: TransactionAction, told: (what: string) => void): void {
    const { history } = this.#parts;
    const record = history.callTogether(action.parts);
    const token = action.hasToken ? `token ${++this.#tokens}` : undefined;
    this.#try(who, { action, record, token }, { left: TRIES, told });
  }

  /** @param isPatient whether it waits for every answer for as long as one may come */
  readTogether(action: TogetherAction, told: (what: string, isRead: boolean) => void, isPatient = false): void {
    const { history } = this.#parts;
    const { keys } = action;
    const parts = keys.map(({ storeKey: key }) => ({ key, call: { kind: 'read' } as const }));
    const record = history.callTogether(parts);
    const derivation = this.#parts.derivation();
    const items = keys.map((key) => ({ key: itemKeyOf(key), derivation }));
    const door = this.#door(new SimulatedClock(this.#parts.time, 0), isPatient);
    runTask(readTogether(door, { items }), (outcome) => {
      if (outcome.kind !== 'items') return told(outcome.kind, false);
      const values = outcome.items.map(registerValueOf);
      history.answerTogether(record, { kind: 'read', values });
      for (const [at, value] of values.entries()) if (value !== null) this.#parts.see(keys[at]!, value);
      told(values.map((value) => value ?? 'nothing').join(' '), true);
    });
  }

  #try(
    who: string,
    sent: SentTransaction,
    tries: { readonly left: number; readonly told: (what: string) => void },
  ): void {
    const { time, random, trace } = this.#parts;
    const { action, record, token } = sent;
    const { left, told } = tries;
    const clock = new SimulatedClock(time, Math.floor(random.next() * WORST_SKEW_MS));
    let isOver = false;
    const again = (afterMs: number) => {
      if (isOver) return;
      isOver = true;
      if (token === undefined || left <= 1) return;
      time.after(afterMs, () => this.#try(who, sent, { ...tries, left: left - 1 }));
    };
    if (random.next() < DEATH_CHANCE) {
      time.after(random.next() * 150, () => {
        trace.add(time.nowMs, `** the leader of ${who} dies`);
        clock.stop();
        again(random.next() * 200);
      });
    }
    const derivation = this.#parts.derivation();
    const actions = action.parts.map((part, at) => ({
      key: itemKeyOf(action.keys[at]!),
      change: changeOf(part, (value) => this.#parts.itemOf(action.keys[at]!, value)),
      derivation,
    }));
    const request = { actions, ...(token === undefined ? {} : { token: { name: token, digest: token } }) };
    const calledAt = this.#parts.history.now();
    runTask(transact(this.#door(clock), request), (outcome) => {
      // That this try has done nothing says nothing of those before it.
      const isUnsure = UNSURE.has(outcome.kind) || (left < TRIES && NOTHING_DONE.has(outcome.kind));
      if (isUnsure && token !== undefined && left > 1) return again(20 + random.next() * 200);
      // It is sent again by now, or the client has given it up.
      if (isOver) return;
      isOver = true;
      if (!isUnsure) this.#note(action, record, { outcome, calledAt });
      told(showOutcome(outcome));
    });
  }

  #note(
    { keys, parts }: TransactionAction,
    record: RunningTransaction,
    { outcome, calledAt }: { readonly outcome: TransactionOutcome; readonly calledAt: number },
  ): void {
    const { history } = this.#parts;
    switch (outcome.kind) {
      case 'committed': {
        const olds = outcome.items.map(({ old }) => registerValueOf(old));
        return history.answerTogether(record, { kind: 'committed', ...(outcome.isRepeated ? {} : { olds }) });
      }
      case 'cancelled':
        for (const [at, reason] of outcome.reasons.entries()) {
          if (reason.kind !== 'condition-failed') continue;
          const current = registerValueOf(reason.current);
          if (current !== null) this.#parts.see(keys[at]!, current);
          // As a write of the item by itself that was refused: what its condition was is in the transaction.
          const { key, call } = parts[at]!;
          const condition = 'condition' in call ? call.condition : undefined;
          history.refused(key, { condition: condition!, current, calledAt });
        }
        return history.answerTogether(record, { kind: 'not-applied' });
      default:
        return history.answerTogether(record, { kind: 'not-applied' });
    }
  }

  #door(clock: SimulatedClock, isPatient = false): TransactionDoor {
    const { time, random, limits, rules, partitions } = this.#parts;
    /** What is answered to a leader that has died is lost; and one that lives may not wait for an answer. */
    const once = <T>(done: (answer: T) => void, silence: T) => {
      const givesUp = !isPatient && random.next() < GIVES_UP_EARLY;
      const lateMs = givesUp && random.next() < 0.5 ? random.next() * LATE_MS : 0;
      let isAnswered = false;
      const answer = (value: T) => {
        if (isAnswered) return;
        isAnswered = true;
        clock.after(0, () => done(value));
      };
      time.after(givesUp ? random.next() * 40 : limits.opLifeMs + 60, () => answer(silence));
      return { answer, lateMs };
    };
    return {
      clock,
      random,
      limits,
      rules,
      partitions,
      write: ({ key, mutation, derivation }, done) => {
        const { answer, lateMs } = once<WriteOutcome>(done, { kind: 'unknown' });
        const target = this.#targetOf(key);
        const host = this.#hostFor(target);
        if (host === undefined) return void clock.after(10, () => answer({ kind: 'unavailable', needed: 1, got: 0 }));
        const { storeKey, partitionKey } = target;
        const more = { partitionKey, consistency: 'strict', wantsOld: true, derivation } as const;
        const request = writeOf(storeKey, mutation, more);
        if (lateMs === 0) return this.#parts.write(target, host, request, answer);
        time.after(lateMs, () => {
          if (host.votes) this.#parts.write(target, host, request, answer);
        });
      },
      look: ({ key, derivation }, done) => {
        const { answer } = once<LookAnswer>(done, { kind: 'unavailable', needed: 1, got: 0 });
        const target = this.#targetOf(key);
        const host = this.#hostFor(target);
        if (host === undefined) return void clock.after(10, () => answer({ kind: 'unavailable', needed: 1, got: 0 }));
        const request = { kind: 'coordinate-look', requestId: undefined, key: target.storeKey, derivation } as const;
        this.#parts.coordinate(host, request, answer);
      },
    };
  }

  /** One of the items, or an item of the ledger, of which whoever has a vote there coordinates requests. */
  #targetOf(key: ItemKey): Target {
    const storeKey = storeKeyOf(key, this.#parts.partitions);
    const known = this.#parts.keys.find((each) => each.storeKey === storeKey);
    if (known !== undefined) return known;
    const { homesOf } = this.#parts;
    return {
      name: key.partitionKey.slice(0, 'transaction:'.length),
      storeKey,
      partitionKey: key.partitionKey,
      coordinators: () => homesOf(partitionOf(storeKey)).filter(({ votes }) => votes),
    };
  }

  #hostFor(target: Target): SimulatedHost | undefined {
    const ready = target.coordinators();
    return ready[randomBelow(this.#parts.random, Math.max(1, ready.length))];
  }
}

type Kinds = ReadonlySet<TransactionOutcome['kind']>;

const UNSURE: Kinds = new Set(['unknown', 'in-progress', 'storage-failed'] as const);
const NOTHING_DONE: Kinds = new Set(['unavailable', 'overloaded'] as const);

interface SentTransaction {
  readonly action: TransactionAction;
  readonly record: RunningTransaction;
  readonly token: string | undefined;
}

/** What a write goes to. */
export type Target = Pick<SimulatedKey, 'name' | 'storeKey' | 'partitionKey' | 'coordinators'>;

export interface TransactionClientsParts {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly trace: Trace;
  readonly history: History;
  readonly keys: readonly SimulatedKey[];
  readonly limits: NodeLimits;
  readonly rules: Rules;
  readonly partitions: number;
  readonly homesOf: (partition: number) => readonly SimulatedHost[];
  readonly coordinate: Coordinate;
  /** As a client of the ring has it: what is handed back is carried on with. */
  readonly write: (
    key: Target,
    host: SimulatedHost,
    request: CoordinateWrite,
    done: (outcome: WriteOutcome) => void,
  ) => void;
  readonly derivation: () => Derivation | undefined;
  readonly itemOf: (key: SimulatedKey, value: string) => ItemImage;
  /** A value was seen, for conditions to ask for. */
  readonly see: (key: SimulatedKey, value: string) => void;
}

function itemKeyOf({ storeKey, partitionKey, collection }: SimulatedKey): ItemKey {
  return { table: storeKey.slice(2, 10), partitionKey, sortKey: storeKey.slice(collection.length) };
}

function showOutcome(outcome: TransactionOutcome): string {
  if (outcome.kind === 'committed') return outcome.isRepeated ? 'committed before' : 'committed';
  if (outcome.kind !== 'cancelled') return outcome.kind;
  return `cancelled: ${outcome.reasons.map(({ kind }) => kind).join(', ')}`;
}
