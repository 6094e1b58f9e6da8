import { strict as assert } from 'node:assert';
import type { Derivation } from '../../src/api/derivation.ts';
import type { ItemImage } from '../../src/api/item.ts';
import type { Mutation } from '../../src/api/mutation.ts';
import type { ByteString } from '../../src/api/primary-key.ts';
import type { Consistency, ReadFrom, ReadOutcome, WriteOptions, WriteOutcome } from '../../src/dynamo/client.ts';
import type { AnswerTo, CoordinateWrite, PassableRequest } from '../../src/dynamo/coordination-messages.ts';
import type { NodeLimits } from '../../src/dynamo/node-settings.ts';
import type { WriteAnswer } from '../../src/dynamo/registers/handed-back.ts';
import type { Rules } from '../../src/dynamo/rules.ts';
import { type Random, randomBelow } from '../../src/env/random.ts';
import type { StoreKey } from '../../src/env/store.ts';
import { rangeOf, readOf, writeOf } from '../dynamo/coordination-requests.ts';
import type { ChosenRecords } from './chosen-records.ts';
import type { History } from './history.ts';
import { type IndexQuery, type LocalQuery, showQuery } from './index-action.ts';
import { encodedKeyOf, IndexQueries } from './index-queries.ts';
import type { IndexedItems } from './indexed-items.ts';
import { expressionOf, itemOf, registerValueOf } from './item-value.ts';
import type { RegisterAnswer, RegisterCall, RegisterCondition, RegisterValue } from './linearizability.ts';
import { drawRange, keysOf, type RangeAction, showRange, storeRangeOf } from './range-action.ts';
import type { Mix } from './scenarios.ts';
import type { SimulatedHost } from './simulated-host.ts';
import type { ToldRecords } from './told-records.ts';
import type { Trace } from './trace.ts';
import {
  type Draws,
  drawTogether,
  drawTransaction,
  showTransaction,
  type TogetherAction,
  type TransactionAction,
} from './transaction-action.ts';
import { type Target, TransactionClients } from './transaction-clients.ts';
import type { VirtualTime } from './virtual-time.ts';

/** One register and who coordinates requests on it. */
export interface SimulatedKey {
  readonly name: string;
  readonly storeKey: StoreKey;
  readonly partitionKey: ByteString;
  /** The prefix of its item collection. */
  readonly collection: StoreKey;
  /** Its home replicas as they are decided now. */
  readonly homes: readonly SimulatedHost[];
  /** Whom clients turn to: a home replica as a rule, and in a ring that heals now and then another node. */
  coordinators(): readonly SimulatedHost[];
}

/** Has the node that runs at a host coordinate a request. */
export type Coordinate = <R extends PassableRequest>(
  host: SimulatedHost,
  request: R,
  reply: (outcome: AnswerTo<R>) => void,
) => void;

type Action =
  | RegisterCall
  | EventualAction
  | RangeAction
  | IndexQuery
  | LocalQuery
  | TransactionAction
  | TogetherAction;

interface EventualAction {
  readonly kind: 'eventual-read';
  readonly from: Exclude<ReadFrom, 'latest'>;
}

/** The clients of one history: each does one operation after the other, on a random key by a random node of it. */
export class Workload {
  readonly #parts: WorkloadParts;
  #remaining: number;
  #active: number;
  #lastValue = 0;
  readonly #queries: IndexQueries | undefined;
  readonly #transactions: TransactionClients;
  /** Requests that were not answered yet, and may never be. */
  readonly #underWay = new Set<{
    readonly host: SimulatedHost;
    readonly node: SimulatedHost['node'];
    readonly version: number | undefined;
  }>();
  /** Per key the values that conditions may ask for: written or seen, newest last. */
  readonly #seen = new Map<SimulatedKey, string[]>();

  constructor(parts: WorkloadParts) {
    this.#parts = parts;
    this.#remaining = parts.operations;
    this.#active = parts.clients;
    for (const key of parts.keys) this.#seen.set(key, [NEVER_WRITTEN]);
    const { items } = parts;
    this.#transactions = new TransactionClients({
      ...parts,
      coordinate: (host, request, reply) => this.#coordinate(host, request, reply),
      write: (key, host, request, done) => this.#write(key, host, request, done),
      derivation: () => this.#derivation,
      itemOf: (key, value) => this.#itemOf(key, value),
      see: (key, value) => this.#seen.get(key)!.push(value),
    });
    if (items === undefined) return;
    this.#queries = new IndexQueries({
      ...parts,
      items,
      seen: (key) => this.#seen.get(key)!.filter((value) => value !== NEVER_WRITTEN),
      coordinate: (host, request, reply) => this.#coordinate(host, request, reply),
      startRead: (key, from) => this.#startRead(key, from),
    });
  }

  /** `finished` is called when all operations were answered or given up by their clients. */
  start(finished: () => void): void {
    const { time, random, clients } = this.#parts;
    for (let client = 1; client <= clients; client++) {
      const next = () => {
        if (this.#remaining-- > 0) this.#act(client, next);
        else if (--this.#active === 0) finished();
      };
      time.after(random.next() * 30, next);
    }
  }

  /** From now on clients begin nothing new. */
  end(): void {
    this.#remaining = 0;
  }

  /** A strong read that is not of the mix, for when the faults are over. `succeeded` may never be called. */
  readFinally(key: SimulatedKey, host: SimulatedHost, succeeded: () => void): void {
    this.#ask('final', key, host, { kind: 'read' }, (answer) => {
      if (answer.kind === 'read') succeeded();
    });
  }

  /** As `readFinally`, of all keys together. */
  readAllFinally(succeeded: () => void): void {
    const { keys } = this.#parts;
    const told = (what: string, isRead: boolean) => {
      this.#note(`final is told: all keys: ${what}`);
      if (isRead) succeeded();
    };
    this.#transactions.readTogether({ kind: 'read-together', keys }, told, true);
  }

  #act(client: number, next: () => void): void {
    const { time, random, keys, thinkMs } = this.#parts;
    const key = keys[randomBelow(random, keys.length)]!;
    const ready = key.coordinators();
    if (ready.length === 0) {
      this.#remaining++;
      time.after(10 + random.next() * 20, next);
      return;
    }
    const host = ready[randomBelow(random, ready.length)]!;
    let hasMovedOn = false;
    const moveOn = () => {
      if (hasMovedOn) return;
      hasMovedOn = true;
      time.after(random.next() * thinkMs, next);
    };
    // The client's time-out. An answer that comes later is still recorded: it must be right as well.
    time.after(120 + random.next() * 200, moveOn);
    const action = this.#draw(key);
    const last = action.kind === 'eventual-read' && action.from === 'laggard' ? this.#lastOf(key) : [];
    const asked = last.length > 0 ? last[randomBelow(random, last.length)]! : host;
    this.#ask(`client ${client}`, key, asked, action, moveOn);
  }

  /** Whether an answer is awaited to a request that carried an older derivation, by a process that still runs. */
  isOlderUnderWay(): boolean {
    const { items } = this.#parts;
    for (const { host, node, version } of this.#underWay) {
      if (host.node === node && version !== undefined && version < items!.latest.version) return true;
    }
    return false;
  }

  readonly #coordinate: Coordinate = (host, request, reply) => {
    const asked = { host, node: host.node, version: 'derivation' in request ? request.derivation?.version : undefined };
    this.#underWay.add(asked);
    host.remote!.coordinate(request, (outcome) => {
      this.#underWay.delete(asked);
      reply(outcome);
    });
  };

  /** The replicas that rules of lag hold back, if anything does. */
  #lastOf({ homes }: SimulatedKey): readonly SimulatedHost[] {
    return homes.slice(this.#parts.writeQuorum).filter(({ votes }) => votes);
  }

  #ask(
    who: string,
    key: SimulatedKey,
    host: SimulatedHost,
    action: Action,
    answered: (answer: RegisterAnswer) => void,
  ): void {
    this.#note(`${who} asks ${host.id}: ${key.name} ${showAction(action)}`);
    const finish = (answer: RegisterAnswer) => {
      this.#note(`${who} is told: ${key.name} ${showAction(action)}: ${showAnswer(answer)}`);
      answered(answer);
    };
    if (action.kind === 'range-read') return this.#askRange(host, key, action, finish);
    if (action.kind === 'index-query' || action.kind === 'local-query') {
      return this.#queries!.ask(action, host, key, (what) => {
        this.#note(`${who} is told: ${showQuery(action)}: ${what}`);
        answered({ kind: 'unknown' });
      });
    }
    if (action.kind === 'transaction' || action.kind === 'read-together') {
      const told = (what: string) => {
        this.#note(`${who} is told: ${showTransaction(action)}: ${what}`);
        answered({ kind: 'unknown' });
      };
      if (action.kind === 'transaction') this.#transactions.transact(who, action, told);
      else this.#transactions.readTogether(action, told);
      return;
    }
    if (this.#parts.told !== undefined) return this.#askBlindly(this.#parts.told, key, host, action, finish);
    const { consistency } = this.#parts;
    const record =
      action.kind === 'eventual-read' ? this.#startEventualRead(key, action.from) : this.#startOperation(key, action);
    const recordAndFinish = (answer: RegisterAnswer) => {
      record(answer);
      finish(answer);
    };
    if (action.kind === 'read' || action.kind === 'eventual-read') {
      const request = { ...readOf(key.storeKey, fromOf(action), consistency), derivation: this.#derivation };
      this.#coordinate(host, request, (outcome) => recordAndFinish(answerOfRead(outcome)));
    } else {
      const mutation = mutationOf(action, (value) => this.#itemOf(key, value));
      const request = this.#writeOf(key, mutation, { consistency, wantsOld: true, derivation: this.#derivation });
      this.#write(key, host, request, (outcome) => recordAndFinish(answerOfWrite(outcome)));
    }
  }

  /** What one coordinator hands back, another carries on with, as a client of the ring has it. */
  #write(
    key: Target,
    host: SimulatedHost,
    request: CoordinateWrite,
    done: (outcome: WriteOutcome, by: SimulatedHost) => void,
  ): void {
    const { carried } = request;
    this.#coordinate(host, request, (outcome) => {
      if (outcome.kind !== 'handed-back' && !(outcome.kind === 'unavailable' && carried !== undefined)) {
        return done(outcome, host);
      }
      const others = key.coordinators().filter((other) => other !== host);
      if (others.length === 0) return done({ kind: 'unknown' }, host);
      const next = others[randomBelow(this.#parts.random, others.length)]!;
      this.#note(`${host.id} has handed back a write of ${key.name}, ${next.id} carries on`);
      const left = outcome.kind === 'handed-back' ? outcome.carried : carried;
      this.#write(key, next, { ...request, carried: this.#parts.forgetsHandedBack ? undefined : left }, done);
    });
  }

  #writeOf({ storeKey, partitionKey }: SimulatedKey, mutation: Mutation, options: WriteOptions): CoordinateWrite {
    return writeOf(storeKey, mutation, { partitionKey, ...options });
  }

  /** In `dynamo` mode, without asking for what was there. */
  #askBlindly(
    told: ToldRecords,
    key: SimulatedKey,
    host: SimulatedHost,
    action: RegisterCall | EventualAction,
    finish: (answer: RegisterAnswer) => void,
  ): void {
    const { storeKey } = key;
    if (action.kind === 'read' || action.kind === 'eventual-read') {
      host.remote!.coordinate(readOf(storeKey, fromOf(action), 'dynamo'), (outcome) => {
        const answer = answerOfRead(outcome);
        if (answer.kind === 'read') told.read(storeKey, answer.value);
        finish(answer);
      });
      return;
    }
    const write: BlindWriter = (mutation, done) =>
      this.#write(key, host, this.#writeOf(key, mutation, { consistency: 'dynamo', wantsOld: false }), done);
    tellBlindly(told, storeKey, host, action, write, (outcome) => finish(answerOfWrite(outcome)));
  }

  /** A range read counts as a read of every key of the range, as far as it got. */
  #askRange(
    host: SimulatedHost,
    key: SimulatedKey,
    action: RangeAction,
    finish: (answer: RegisterAnswer) => void,
  ): void {
    const { limit, from, order } = action;
    const keys = keysOf(action, this.#collectionOf(key));
    const records = keys.map((key) => this.#startRead(key, from));
    const range = storeRangeOf(action, key.collection);
    const derivation = this.#derivation;
    this.#coordinate(host, rangeOf(range, from, { limit, order, derivation }), (outcome) => {
      if (outcome.kind !== 'items') return finish({ kind: 'unknown' });
      const values = outcome.items.map((item) => registerValueOf(item)!);
      this.#note(`the range holds ${values.join(', ') || 'nothing'}${outcome.more ? ', and more' : ''}`);
      assert(values.length <= limit, 'more items than asked for');
      let next = 0;
      for (const [index, key] of keys.entries()) {
        if (next === values.length && outcome.more) break;
        const isShown = next < values.length && this.#seen.get(key)!.includes(values[next]!);
        records[index]!({ kind: 'read', value: isShown ? values[next++]! : null });
      }
      assert(next === values.length, 'an item that is not of this range, or not in order');
      finish({ kind: 'unknown' });
    });
  }

  /** The keys of a key's collection, ascending. */
  #collectionOf({ collection, partitionKey }: SimulatedKey): readonly SimulatedKey[] {
    return this.#parts.keys.filter((key) => key.collection === collection && key.partitionKey === partitionKey);
  }

  /** What is sent with each request of a table that has indexes. */
  get #derivation(): Derivation | undefined {
    return this.#parts.items?.derivation;
  }

  #itemOf(key: SimulatedKey, value: string): ItemImage {
    const { items } = this.#parts;
    return items === undefined ? itemOf(value) : items.itemOf(encodedKeyOf(key), value);
  }

  #startRead(key: SimulatedKey, from: ReadFrom): (answer: RegisterAnswer) => void {
    return from === 'latest' ? this.#startOperation(key, { kind: 'read' }) : this.#startEventualRead(key, from);
  }

  /** @returns what to call with the answer */
  #startOperation(key: SimulatedKey, call: RegisterCall): (answer: RegisterAnswer) => void {
    const { history } = this.#parts;
    const operation = history.call(key.storeKey, call);
    return (answer) => {
      history.answer(operation, answer);
      this.#remember(key, answer);
    };
  }

  #startEventualRead(key: SimulatedKey, from: EventualAction['from']): (answer: RegisterAnswer) => void {
    const { history, chosen } = this.#parts;
    const calledAt = history.now();
    return (answer) => {
      if (answer.kind !== 'read') return;
      const { value } = answer;
      const wasChosen = value === null || chosen.has(key.storeKey, value);
      history.eventualReads.push({ key: key.storeKey, calledAt, value, wasChosen, from });
    };
  }

  #draw(key: SimulatedKey): Action {
    switch (drawKind(this.#parts.random, this.#parts.mix)) {
      case 'put':
        return { kind: 'put', value: this.#newValue(key) };
      case 'delete':
        return { kind: 'delete' };
      case 'conditionalPut': {
        const condition = this.#drawCondition(key);
        return { kind: 'put', value: this.#newValue(key), condition };
      }
      case 'conditionalDelete':
        return { kind: 'delete', condition: this.#drawCondition(key) };
      case 'read':
        return { kind: 'read' };
      case 'eventualRead':
        return {
          kind: 'eventual-read',
          from: this.#parts.lags && this.#parts.random.next() < 0.5 ? 'laggard' : 'committed',
        };
      case 'rangeRead':
        return drawRange(this.#parts.random, this.#collectionOf(key), this.#parts.rangesVary);
      case 'samePut': {
        const value = this.#drawSeen(key);
        return { kind: 'put', value: this.#newValue(key, value), condition: { kind: 'equals', value } };
      }
      case 'touch': {
        const value = this.#drawSeen(key);
        const same = value === NEVER_WRITTEN ? this.#newValue(key) : value;
        return { kind: 'put', value: same, condition: { kind: 'equals', value } };
      }
      case 'transaction':
        return drawTransaction(this.#draws);
      case 'readTogether':
        return drawTogether(this.#draws);
      case 'indexQuery':
        return this.#queries!.drawGlobal();
      case 'localQuery':
        return this.#queries!.drawLocal(key);
    }
  }

  get #draws(): Draws {
    const { random, keys } = this.#parts;
    return {
      random,
      keys,
      newValue: (key) => this.#newValue(key),
      condition: (key) => this.#drawCondition(key),
    };
  }

  #drawCondition(key: SimulatedKey): RegisterCondition {
    const { random } = this.#parts;
    const chance = random.next();
    if (chance < 0.2) return { kind: 'absent' };
    if (chance < 0.3) return { kind: 'exists' };
    return { kind: 'equals', value: this.#drawSeen(key) };
  }

  /** One of the last three that were written or seen. */
  #drawSeen(key: SimulatedKey): string {
    const seen = this.#seen.get(key)!;
    return seen[Math.max(0, seen.length - 1 - randomBelow(this.#parts.random, 3))]!;
  }

  /**
   * Every put writes another value, so that a value tells who wrote it.
   * @param like in a table with indexes: a value that the new one has the index keys of
   */
  #newValue(key: SimulatedKey, like = NEVER_WRITTEN): string {
    const { items, random } = this.#parts;
    const version = ++this.#lastValue;
    let value = String(version);
    if (items !== undefined) {
      value = like === NEVER_WRITTEN ? items.newValue(version, random) : items.sameKeys(version, like);
    }
    this.#seen.get(key)!.push(value);
    return value;
  }

  #remember(key: SimulatedKey, answer: RegisterAnswer): void {
    let value: RegisterValue | undefined;
    if (answer.kind === 'read') value = answer.value;
    if (answer.kind === 'refused') value = answer.current;
    if (value !== undefined && value !== null) this.#seen.get(key)!.push(value);
  }

  #note(what: string): void {
    this.#parts.trace.add(this.#parts.time.nowMs, `** ${what}`);
  }
}

export interface WorkloadParts {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly trace: Trace;
  readonly history: History;
  readonly chosen: ChosenRecords;
  readonly keys: readonly SimulatedKey[];
  readonly clients: number;
  readonly operations: number;
  readonly mix: Mix;
  readonly rangesVary: boolean;
  readonly consistency: Consistency;
  readonly thinkMs: number;
  readonly limits: NodeLimits;
  readonly rules: Rules;
  /** Q */
  readonly partitions: number;
  /** W */
  readonly writeQuorum: number;
  /** Whether replicas may be held back. */
  readonly lags: boolean;
  /** Whether a write that was handed back is begun anew by the next coordinator. */
  readonly forgetsHandedBack: boolean;
  /** If all writes are blind ones in `dynamo` mode, of which nothing but the end is sure. */
  readonly told: ToldRecords | undefined;
  /** If the table has indexes. */
  readonly items: IndexedItems | undefined;
  /** The members of a partition as they are decided now. */
  readonly homesOf: (partition: number) => readonly SimulatedHost[];
}

/** Stands for the value of a key that nobody has written. */
const NEVER_WRITTEN = 'none';

function drawKind(random: Random, mix: Mix): keyof Mix {
  const kinds = Object.entries(mix) as [keyof Mix, number][];
  let left = random.next() * kinds.reduce((sum, [, parts]) => sum + parts, 0);
  for (const [kind, parts] of kinds) {
    left -= parts;
    if (left < 0) return kind;
  }
  return 'read';
}

/** Writes in `dynamo` mode; `done` is told by which host in the end. */
export type BlindWriter = (mutation: Mutation, done: (outcome: WriteAnswer, by: SimulatedHost) => void) => void;

/** Writes in `dynamo` mode, without asking for what was there, and has it noted for the judge. */
export function tellBlindly(
  told: ToldRecords,
  key: StoreKey,
  host: SimulatedHost,
  call: Exclude<RegisterCall, { kind: 'read' }>,
  write: BlindWriter,
  done: (outcome: WriteAnswer) => void,
): void {
  /** The last that was asked, which may still tell others of the write. */
  let asked = { host, node: host.node };
  const isBlind = call.condition === undefined;
  const value = call.kind === 'put' ? call.value : null;
  const isCoordinatorAlive = () => isBlind && asked.host.node === asked.node;
  told.write({ key, value, isBlind, isCoordinatorAlive }, (answered) => {
    write(mutationOf(call), (outcome, by) => {
      asked = { host: by, node: by.node ?? asked.node };
      const { kind } = answerOfWrite(outcome);
      answered(kind === 'applied' || kind === 'not-applied' ? kind : 'unknown');
      done(outcome);
    });
  });
}

export function mutationOf(call: Exclude<RegisterCall, { kind: 'read' }>, toItem = itemOf): Mutation {
  const condition = call.condition && expressionOf(call.condition);
  return call.kind === 'put' ? { kind: 'put', item: toItem(call.value), condition } : { kind: 'delete', condition };
}

export function answerOfWrite(outcome: WriteAnswer): RegisterAnswer {
  switch (outcome.kind) {
    case 'applied':
      return { kind: 'applied', old: registerValueOf(outcome.old) };
    case 'condition-failed':
      return { kind: 'refused', current: registerValueOf(outcome.current) };
    case 'refused':
    case 'collection-full':
    case 'conflict':
    case 'unavailable':
    case 'overloaded':
    case 'index-behind':
    case 'table-gone':
      return { kind: 'not-applied' };
    case 'unknown':
    case 'handed-back':
    case 'storage-failed':
      return { kind: 'unknown' };
  }
}

export function answerOfRead(outcome: ReadOutcome): RegisterAnswer {
  if (outcome.kind === 'found') return { kind: 'read', value: registerValueOf(outcome.item) };
  return outcome.kind === 'none' ? { kind: 'read', value: null } : { kind: 'unknown' };
}

function fromOf(action: Extract<RegisterCall, { kind: 'read' }> | EventualAction): ReadFrom {
  return action.kind === 'read' ? 'latest' : action.from;
}

function showAction(action: Action): string {
  if (action.kind === 'transaction' || action.kind === 'read-together') return showTransaction(action);
  if (action.kind === 'index-query' || action.kind === 'local-query') return showQuery(action);
  if (action.kind === 'range-read') return showRange(action);
  if (action.kind === 'eventual-read' && action.from === 'laggard') return 'lagging-read';
  const what = action.kind === 'put' ? `put ${action.value}` : action.kind;
  if (action.kind !== 'put' && action.kind !== 'delete') return what;
  if (action.condition === undefined) return what;
  const { condition } = action;
  return `${what} if ${condition.kind === 'equals' ? `= ${condition.value}` : condition.kind}`;
}

function showAnswer(answer: RegisterAnswer): string {
  switch (answer.kind) {
    case 'read':
      return `holds ${answer.value ?? 'nothing'}`;
    case 'applied':
      return `applied, was ${answer.old ?? 'nothing'}`;
    case 'refused':
      return `refused, is ${answer.current ?? 'nothing'}`;
    default:
      return answer.kind;
  }
}
