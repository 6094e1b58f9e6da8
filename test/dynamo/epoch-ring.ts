import type { ConfigRegister } from '../../src/dynamo/epochs/config-register.ts';
import type { EpochChangeOutcome } from '../../src/dynamo/epochs/epoch-change.ts';
import { collectionPrefix } from '../../src/dynamo/keyspace.ts';
import type { Member, PartitionConfig, Reply, Request } from '../../src/dynamo/messages.ts';
import type { StorageNode } from '../../src/dynamo/node.ts';
import { DEFAULT_NODE_LIMITS, type NodeLimits } from '../../src/dynamo/node-settings.ts';
import { ItemRecord } from '../../src/dynamo/record.ts';
import { type Rules, SOUND_RULES } from '../../src/dynamo/rules.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import { ManualClock } from '../parts/manual-clock.ts';
import { openNode, type Sent } from '../parts/memory-node.ts';
import { readOf } from './coordination-requests.ts';
import { image, textOf } from './three-nodes.ts';

export const keyOf = (name: string) => collectionPrefix('\0\0\0\0\0\0\0\x01', name, 1);

/** A record of a disk and a boot that no node of the test has. */
export function recordOf(text: string | undefined, hlc: number): ItemRecord {
  const item = text === undefined ? undefined : image(text);
  return new ItemRecord({ ballot: { hlc, coordinator: 900, boot: 1 }, item, partitionKey: 'user', lineage: [] });
}

interface Machine {
  readonly id: string;
  diskId: number;
  store: MemoryStore;
  node: StorageNode | undefined;
}

/**
 * Nodes that share one partition whose members change, on a network and a clock that a test moves by hand: nothing is
 * delivered and no time passes but in `settle`. Background work does not run.
 */
export class EpochRing {
  readonly clock = new ManualClock();
  readonly sent: Sent[] = [];
  /** Decides which messages are lost. */
  isLost: (sent: Sent) => boolean = () => false;
  /** Decides which messages arrive twice. */
  isDoubled: (sent: Sent) => boolean = () => false;
  /** Decides which messages wait for `release`. */
  isHeld: (sent: Sent) => boolean = () => false;
  decided: PartitionConfig;
  readonly register: ConfigRegister;
  #lastAttempt = 0;
  #held: (() => void)[] = [];
  #deliveries: (() => void)[] = [];
  readonly #limits: NodeLimits;
  readonly #rules: Rules;
  readonly #machines: Map<string, Machine>;

  /** @param ids of the nodes; the first `members` of them have the partition at first */
  constructor(ids: string, members: number, limits: Partial<NodeLimits> = {}, rules: Partial<Rules> = {}) {
    this.#rules = { ...SOUND_RULES, ...rules };
    this.#limits = { ...DEFAULT_NODE_LIMITS, merkleDepth: 1, ...limits };
    this.#machines = new Map(
      [...ids].map((id, i) => [id, { id, diskId: i + 1, store: new MemoryStore(), node: undefined }]),
    );
    this.decided = { partition: 0, epoch: 0, members: this.members(ids.slice(0, members)), attempt: 0 };
    this.register = {
      read: (_partition, done) => done(this.decided),
      begin: ({ epoch }, done) => {
        if (this.decided.epoch > epoch) return done({ kind: 'decided', config: this.decided });
        this.#lastAttempt++;
        done({ kind: 'attempt', attempt: this.#lastAttempt });
      },
      decide: (next, done) => {
        if (next.epoch === this.decided.epoch + 1 && next.attempt === this.#lastAttempt) this.decided = next;
        done(this.decided);
      },
    };
    for (const id of ids) this.start(id, true);
  }

  members(ids: string): Member[] {
    return [...ids].map((node) => ({ node, diskId: this.#machines.get(node)!.diskId }));
  }

  node(id: string): StorageNode {
    return this.#machines.get(id)!.node!;
  }

  store(id: string): MemoryStore {
    return this.#machines.get(id)!.store;
  }

  /** Starts a node on what its disk has, knowing what is decided. */
  start(id: string, isBootstrap = false): void {
    const machine = this.#machines.get(id)!;
    const limits = this.#limits;
    const settings = { id, diskId: machine.diskId, ring: [this.decided], isBootstrap, limits, rules: this.#rules };
    const wiring = {
      clock: this.clock,
      node: (of: string) => this.#machines.get(of)?.node,
      post: (sent: Sent, deliver: () => void) => this.#post(sent, deliver),
    };
    openNode(wiring, settings, { store: machine.store, seed: 1 }, (node) => {
      machine.node = node;
    });
  }

  /** Ends the process of a node; its disk keeps what was flushed and the oldest `survivors` of the other writes. */
  kill(id: string, survivors = 0): void {
    const machine = this.#machines.get(id)!;
    machine.node?.stop();
    machine.node = undefined;
    machine.store.crash(survivors);
  }

  /** A node gets an empty disk. */
  wipe(id: string): void {
    this.kill(id);
    const machine = this.#machines.get(id)!;
    machine.diskId += 100;
    machine.store = new MemoryStore();
    this.start(id);
  }

  /** A request from nobody in particular; the answer is there after `settle`. */
  ask(to: string, request: Request): { reply: Reply | undefined } {
    const asked: { reply: Reply | undefined } = { reply: undefined };
    this.node(to).receive('Z', request, (reply) => {
      asked.reply = reply;
    });
    return asked;
  }

  /** Gives replicas a committed record. */
  commit(ids: string, name: string, record: ItemRecord): void {
    for (const id of ids) this.ask(id, { kind: 'learn', key: keyOf(name), record });
  }

  /** Gives replicas an accepted record. */
  accept(ids: string, name: string, record: ItemRecord): void {
    const { epoch } = this.decided;
    for (const id of ids) this.ask(id, { kind: 'accept', key: keyOf(name), record, epoch });
  }

  /** Begins to lead the partition to new members; the outcome is there once it ended. */
  lead(at: string, members: string | readonly Member[]): { outcome: EpochChangeOutcome | undefined } {
    const led: { outcome: EpochChangeOutcome | undefined } = { outcome: undefined };
    const wanted = typeof members === 'string' ? this.members(members) : members;
    this.node(at).changeEpoch(this.register, 0, wanted, (outcome) => {
      led.outcome = outcome;
    });
    return led;
  }

  /** Leads to the end. */
  change(at: string, members: string): EpochChangeOutcome | undefined {
    const led = this.lead(at, members);
    this.settle();
    return led.outcome;
  }

  /** The text that a strong read at a node finds; undefined: no item. */
  read(at: string, name: string): string | undefined {
    let found: string | undefined = 'no answer';
    this.node(at).coordinate(readOf(keyOf(name), 'latest'), (outcome) => {
      found = outcome.kind === 'found' ? textOf(outcome.item) : outcome.kind === 'none' ? undefined : outcome.kind;
    });
    this.settle();
    return found;
  }

  committed(at: string, name: string): string | undefined {
    const item = this.node(at).stateOf(keyOf(name)).committed?.item;
    return item && textOf(item);
  }

  accepted(at: string, name: string): string | undefined {
    const item = this.node(at).stateOf(keyOf(name)).accepted?.item;
    return item && textOf(item);
  }

  /** Delivers what is on its way and lets `forMs` pass. */
  settle(forMs = 30_000): void {
    this.deliver();
    for (let passed = 0; passed < forMs && this.clock.timers > 0; passed += 5) {
      this.clock.advance(5);
      this.deliver();
    }
  }

  deliver(): void {
    for (let next = this.#deliveries.shift(); next !== undefined; next = this.#deliveries.shift()) next();
  }

  /** What was held is delivered next. */
  release(): void {
    const held = this.#held;
    this.#held = [];
    this.#deliveries.push(...held);
  }

  /** What was held, in the order in which it was sent; to be given to `post`, or lost. */
  takeHeld(): (() => void)[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  /** Puts what was held on its way. */
  post(held: readonly (() => void)[]): void {
    this.#deliveries.push(...held);
  }

  #post(sent: Sent, deliver: () => void): void {
    this.sent.push(sent);
    if (this.isLost(sent)) return;
    if (this.isHeld(sent)) this.#held.push(deliver);
    else this.#deliveries.push(deliver);
    if (this.isDoubled(sent)) this.#deliveries.push(deliver);
  }
}
