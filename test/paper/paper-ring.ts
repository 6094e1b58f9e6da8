import type { ConfigRegister } from '../../src/dynamo/epochs/config-register.ts';
import { Rebalancer } from '../../src/dynamo/epochs/rebalancer.ts';
import { collectionPrefix, partitionOf } from '../../src/dynamo/keyspace.ts';
import type { Member, PartitionConfig } from '../../src/dynamo/messages.ts';
import type { StorageNode } from '../../src/dynamo/node.ts';
import type { NodeLimits } from '../../src/dynamo/node-settings.ts';
import { assignPartitions, type NodeId } from '../../src/dynamo/ring.ts';
import { silentLog } from '../../src/env/log.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import type { StoreKey } from '../../src/env/store.ts';
import { readOf, writeOf } from '../dynamo/coordination-requests.ts';
import { image, textOf } from '../dynamo/three-nodes.ts';
import { askMerkleRoot } from '../merkle-root.ts';
import { ManualClock } from '../parts/manual-clock.ts';
import { openNode, type Sent } from '../parts/memory-node.ts';

export interface PaperRingOptions {
  /** S */
  readonly nodes: number;
  /** Q */
  readonly partitions?: number;
  /** N */
  readonly replication?: number;
  /** W */
  readonly writeQuorum?: number;
  /** R */
  readonly readQuorum?: number;
  readonly readRepair?: boolean;
  readonly limits?: Partial<NodeLimits>;
}

interface Machine {
  readonly id: NodeId;
  readonly diskId: number;
  store: MemoryStore;
  node: StorageNode | undefined;
}

export const TABLE = '\0\0\0\0\0\0\0\x01';
const STEP_MS = 1;

/**
 * A whole ring of real nodes on memory stores, a network and a clock that a test moves by hand. Requests are of `dynamo`
 * mode, which is the paper's. A message takes a millisecond unless the test says otherwise; nothing that nodes do by
 * themselves runs before `startBackground`.
 */
export class PaperRing {
  readonly clock = new ManualClock();
  /** Every message, lost ones too. */
  sent: Sent[] = [];
  isLost: (sent: Sent) => boolean = () => false;
  delayMs: (sent: Sent) => number = () => 1;
  readonly partitions: number;
  readonly register: ConfigRegister;
  readonly #options: PaperRingOptions;
  readonly #machines = new Map<NodeId, Machine>();
  readonly #decided: PartitionConfig[];
  #isInBackground = false;
  #lastAttempt = 0;

  constructor(options: PaperRingOptions) {
    this.#options = options;
    this.partitions = options.partitions ?? 8;
    const ids = Array.from({ length: options.nodes }, (_, i) => `node-${i + 1}`);
    for (const id of ids) this.#addMachine(id);
    this.#decided = assignPartitions(this.partitions, ids, this.replication).map((list, partition) => ({
      partition,
      epoch: 0,
      attempt: 0,
      members: list.map((node) => this.#memberOf(node)),
    }));
    this.register = {
      read: (partition, done) => done(this.#decided[partition]),
      begin: (_base, done) => done({ kind: 'attempt', attempt: ++this.#lastAttempt }),
      decide: (next, done) => {
        const { epoch } = this.#decided[next.partition]!;
        if (next.epoch === epoch + 1 && next.attempt === this.#lastAttempt) this.#decided[next.partition] = next;
        done(this.#decided[next.partition]);
      },
    };
    for (const id of ids) this.start(id, true);
  }

  get replication(): number {
    return this.#options.replication ?? 3;
  }

  /** The nodes that run. */
  get ids(): NodeId[] {
    return [...this.#machines.values()].filter(({ node }) => node !== undefined).map(({ id }) => id);
  }

  get configs(): readonly PartitionConfig[] {
    return this.#decided;
  }

  node(id: NodeId): StorageNode {
    return this.#machines.get(id)!.node!;
  }

  store(id: NodeId): MemoryStore {
    return this.#machines.get(id)!.store;
  }

  keyOf(name: string): StoreKey {
    return collectionPrefix(TABLE, name, this.partitions);
  }

  partitionOf(name: string): number {
    return partitionOf(this.keyOf(name));
  }

  homesOf(name: string): NodeId[] {
    return this.#decided[this.partitionOf(name)]!.members.map(({ node }) => node);
  }

  /** All nodes, in the order in which they are turned to for a key. */
  preferenceListOf(name: string): readonly NodeId[] {
    return this.node(this.ids[0]!).view.preferenceList(this.partitionOf(name));
  }

  /** The nodes that have a committed record of the key as their own. */
  holdersOf(name: string): NodeId[] {
    return this.ids.filter((id) => this.node(id).stateOf(this.keyOf(name)).committed !== undefined);
  }

  /** The text that a node has as its own. */
  versionAt(id: NodeId, name: string): string | undefined {
    const item = this.node(id).stateOf(this.keyOf(name)).committed?.item;
    return item && textOf(item);
  }

  /** The homes for which a node keeps anything. */
  hintsAt(id: NodeId): NodeId[] {
    return this.store(id)
      .range('hints', { from: '\0', to: '\xff', limit: 1_000 })
      .map(({ key }) => key.slice(0, key.indexOf('\0')));
  }

  /** Starts a process on what its disk has; it knows the ring of now, or `ring`. */
  start(id: NodeId, isBootstrap = false, ring: readonly PartitionConfig[] = [...this.#decided]): void {
    const machine = this.#machines.get(id)!;
    const { writeQuorum = 2, readQuorum = 2, readRepair = true, limits } = this.#options;
    const settings = {
      id,
      diskId: machine.diskId,
      writeQuorum,
      readQuorum,
      readRepair,
      ring,
      isBootstrap,
      limits: { merkleDepth: 2, ...limits },
    };
    const wiring = {
      clock: this.clock,
      node: (of: NodeId) => this.#machines.get(of)?.node,
      post: (sent: Sent, deliver: () => void) => this.#post(sent, deliver),
    };
    openNode(wiring, settings, { store: machine.store, seed: machine.diskId }, (node) => {
      machine.node = node;
    });
    if (this.#isInBackground) this.node(id).startBackground();
  }

  startBackground(): void {
    this.#isInBackground = true;
    for (const id of this.ids) this.node(id).startBackground();
  }

  /** Ends a process; its disk keeps what was flushed and all that the disk had written by itself, which is everything. */
  kill(id: NodeId): void {
    const machine = this.#machines.get(id)!;
    machine.node!.stop();
    machine.node = undefined;
    machine.store.crash(machine.store.volatileWriteCount);
  }

  /** A further machine, whose node has no part in the ring yet. */
  add(): NodeId {
    const id = `node-${this.#machines.size + 1}`;
    this.#addMachine(id);
    this.start(id);
    return id;
  }

  /** An administrator says who makes up the ring. @returns whether all partitions have moved in time */
  setRoster(ids: readonly NodeId[], forMs = 60_000): boolean {
    let isDone = false;
    // One list for one roster: another one would be another order.
    const roster = this.members(ids);
    const membership = new Rebalancer({
      configs: () => this.#decided,
      replication: this.replication,
      clock: this.clock,
      log: silentLog,
      retryMs: 100,
      roster: () => roster,
      sealed: () => [],
      publish: () => {},
      changeEpoch: ({ partition, members }, done) => {
        const leader = this.#decided[partition]!.members.find(({ node }) => this.ids.includes(node))!;
        this.node(leader.node).changeEpoch(this.register, partition, members, done);
      },
    });
    membership.rebalance(() => {
      isDone = true;
    });
    this.#runUntil(() => isDone, forMs);
    membership.stop();
    return isDone;
  }

  startPut(at: NodeId, name: string, text: string, done: (kind: string) => void): void {
    const put = { kind: 'put', item: image(text) } as const;
    const request = writeOf(this.keyOf(name), put, { partitionKey: name, consistency: 'dynamo' });
    this.node(at).coordinate(request, (outcome) => done(outcome.kind));
  }

  /** `done` gets the text, if an item was found. */
  startGet(at: NodeId, name: string, done: (text: string | undefined, kind: string) => void): void {
    this.node(at).coordinate(readOf(this.keyOf(name), 'committed', 'dynamo'), (outcome) =>
      done(outcome.kind === 'found' ? textOf(outcome.item) : undefined, outcome.kind),
    );
  }

  /** Puts and waits for the answer. */
  put(at: NodeId, name: string, text: string): { readonly kind: string; readonly ms: number } {
    let kind: string | undefined;
    this.startPut(at, name, text, (answered) => {
      kind = answered;
    });
    const ms = this.#runUntil(() => kind !== undefined);
    return { kind: kind ?? 'no answer', ms };
  }

  /** Gets and waits for the answer. */
  get(at: NodeId, name: string): { readonly kind: string; readonly text: string | undefined; readonly ms: number } {
    let answer: { kind: string; text: string | undefined } | undefined;
    this.startGet(at, name, (text, kind) => {
      answer = { kind, text };
    });
    const ms = this.#runUntil(() => answer !== undefined);
    return { ...(answer ?? { kind: 'no answer', text: undefined }), ms };
  }

  /** Compares a node's partitions with all their other members, now. */
  repair(id: NodeId) {
    let report: Parameters<Parameters<StorageNode['repair']>[0]>[0] | undefined;
    this.node(id).repair((made) => {
      report = made;
    });
    this.#runUntil(() => report !== undefined, 60_000);
    return report!;
  }

  rootOf(id: NodeId, partition: number): string {
    let root: string | undefined;
    askMerkleRoot(this.node(id), partition, (found) => {
      root = Buffer.from(found).toString('hex');
    });
    this.#runUntil(() => root !== undefined);
    return root!;
  }

  run(forMs: number): void {
    this.clock.advance(forMs);
  }

  /** What was sent while `act` ran. */
  during(act: () => void): Sent[] {
    const before = this.sent.length;
    act();
    return this.sent.slice(before);
  }

  members(ids: readonly NodeId[]): Member[] {
    return ids.map((id) => this.#memberOf(id));
  }

  #runUntil(isOver: () => boolean, forMs = 10_000): number {
    const startMs = this.clock.elapsedMs();
    while (!isOver() && this.clock.elapsedMs() - startMs < forMs) this.clock.advance(STEP_MS);
    return this.clock.elapsedMs() - startMs;
  }

  #addMachine(id: NodeId): void {
    this.#machines.set(id, { id, diskId: this.#machines.size + 1, store: new MemoryStore(), node: undefined });
  }

  #memberOf(id: NodeId): Member {
    return { node: id, diskId: this.#machines.get(id)!.diskId };
  }

  #post(sent: Sent, deliver: () => void): void {
    this.sent.push(sent);
    if (!this.isLost(sent)) this.clock.after(this.delayMs(sent), deliver);
  }
}

/** Names of items, enough to have some in every partition. */
export const NAMES: readonly string[] = Array.from({ length: 40 }, (_, i) => `item-${i}`);
