import { strict as assert } from 'node:assert';
import type { ByteString } from '../../src/api/primary-key.ts';
import type { LagRule } from '../../src/dynamo/client.ts';
import type { CoordinatingNode } from '../../src/dynamo/coordinating-node.ts';
import type { ConfigRegister } from '../../src/dynamo/epochs/config-register.ts';
import type { EpochChangeOutcome } from '../../src/dynamo/epochs/epoch-change.ts';
import { readStaged } from '../../src/dynamo/epochs/staged-rows.ts';
import { partitionPrefix } from '../../src/dynamo/keyspace.ts';
import type { Member, PartitionConfig, Reply, Request } from '../../src/dynamo/messages.ts';
import { StorageNode } from '../../src/dynamo/node.ts';
import type { NodeSettings } from '../../src/dynamo/node-settings.ts';
import { decodeRecord, type ItemRecord, topOf } from '../../src/dynamo/record.ts';
import type { NodeId } from '../../src/dynamo/ring.ts';
import type { Clock } from '../../src/env/clock.ts';
import { silentLog } from '../../src/env/log.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import { type Random, randomBelow } from '../../src/env/random.ts';
import { DAMAGED, type Store, type StoreKey, type StoreName } from '../../src/env/store.ts';
import type { Receive } from '../../src/env/transport.ts';
import type { Beginning } from './chosen-records.ts';
import { RemoteNode } from './remote-node.ts';
import type { SimulatedNetwork } from './simulated-network.ts';
import type { Trace } from './trace.ts';
import { SimulatedClock, type VirtualTime } from './virtual-time.ts';

export interface HostFaults {
  /** The wall clock of each start is wrong by up to this. */
  readonly maxSkewMs: number;
  /** A flush takes up to a millisecond; a slow one up to this. */
  readonly slowestFlushMs: number;
}

/** A row that says where a node votes. */
interface Vote {
  readonly config: PartitionConfig;
}

/** What a broken rule does inside one host. */
export interface Sabotage {
  store?(store: Store): Store;
  receive?(receive: Receive<Request, Reply>, store: Store): Receive<Request, Reply>;
}

/**
 * A machine with a disk, on which a storage node runs until the process is killed, and starts again. Only what was
 * flushed survives, and as much of the rest as the disk happened to have written.
 */
export class SimulatedHost {
  /** Undefined while the process is down or still starting. */
  node: StorageNode | undefined;
  /** That node, as its clients have it. */
  remote: CoordinatingNode | undefined;
  isDown = true;
  /** Whether it never starts again: its disk is lost, or it has left the cluster. */
  isGone = false;
  /** The door of the running node. */
  receive: Receive<Request, Reply> | undefined;
  /** When the process was killed last: what it sent before may still be on its way. */
  lastCrashMs = Number.NEGATIVE_INFINITY;
  /** Counts starts and crashes, so that what one process asked for does not happen to the next. */
  #incarnation = 0;
  readonly #parts: HostParts;
  #settings: NodeSettings;
  #disk: MemoryStore;
  #clock: SimulatedClock;
  #isDiskFailing = false;

  constructor(settings: NodeSettings, parts: HostParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#disk = this.#newDisk();
    this.#clock = new SimulatedClock(parts.time, 0);
  }

  get id(): NodeId {
    return this.#settings.id;
  }

  /** The node with the disk it has now. */
  get member(): Member {
    return { node: this.#settings.id, diskId: this.#settings.diskId };
  }

  /** Whether the node runs and has a vote: only then do clients turn to it. */
  get votes(): boolean {
    const { node } = this;
    return node?.view.configs.some(({ partition }) => node.votingConfig(partition) !== undefined) === true;
  }

  /** Leads a partition into its next epoch; `done` is never called if the process dies. */
  changeEpoch(
    register: ConfigRegister,
    partition: number,
    members: readonly Member[],
    done: (outcome: EpochChangeOutcome) => void,
  ): void {
    this.node!.changeEpoch(this.#whileItRuns(register), partition, members, done);
  }

  /** What a register answers to a process dies with it. */
  #whileItRuns(register: ConfigRegister): ConfigRegister {
    const incarnation = this.#incarnation;
    const answered = <A extends unknown[]>(done: (...answer: A) => void) => {
      return (...answer: A) => {
        if (this.#incarnation === incarnation) done(...answer);
      };
    };
    return {
      read: (partition, done) => register.read(partition, answered(done)),
      begin: (base, done) => register.begin(base, answered(done)),
      decide: (next, done) => register.decide(next, answered(done)),
    };
  }

  /** What the disk has for the beginning of an epoch; undefined if it was not staged here. */
  beginningOf({ partition, attempt }: PartitionConfig): Beginning | undefined {
    const disk = this.#disk;
    const staged = readStaged(disk, partition, attempt);
    if (staged === undefined) return undefined;
    return {
      isDamaged: (key) => this.isDamaged(key),
      topOf(key) {
        const stored = disk.get('items', key);
        const committed = stored === undefined ? undefined : decodeRecord(stored);
        const accepted = staged.find((row) => row.key === key)?.record;
        return topOf({ accepted, committed });
      },
    };
  }

  /** The epoch of the row of a partition that no crash can take from its disk; -1 if there is none. */
  durableEpoch(partition: number): number {
    const stored = this.#disk.durable('meta', `vote/${partitionPrefix(partition)}`);
    return stored === undefined ? -1 : (JSON.parse(Buffer.from(stored).toString()) as Vote).config.epoch;
  }

  /** The host is there no more, nor its disk, for ever. */
  end(): void {
    this.isGone = true;
    this.#note('is gone for ever');
    this.node?.stop();
    if (!this.isDown) this.kill(0);
  }

  /** Whether its disk has lost the committed record of a key, which was not restored yet, even if it was written over. */
  isDamaged(key: StoreKey): boolean {
    return this.#disk.get('items', key) === DAMAGED || this.#disk.get('meta', `damaged/${key}`) !== undefined;
  }

  /** The history is over. */
  stop(): void {
    this.node?.stop();
    this.#clock.stop();
  }

  start(): void {
    if (this.isGone) return;
    assert(this.isDown);
    this.isDown = false;
    const { time, random, faults, network, sabotage } = this.#parts;
    const incarnation = ++this.#incarnation;
    const clock = new SimulatedClock(time, Math.floor(random.next() * faults.maxSkewMs));
    this.#clock = clock;
    const store = sabotage.store?.(this.#disk) ?? this.#disk;
    const transport = network.transportOf(this.id, () => this.#incarnation === incarnation);
    const settings = { ...this.#settings, ring: this.#parts.ring() };
    this.#note(`starts, clock ${clock.skewMs} ms ahead`);
    StorageNode.open(settings, { clock, random, log: silentLog, store }, transport, (node, error) => {
      assert(error === undefined);
      this.node = node!;
      this.remote = new RemoteNode(node!, network.sendsBytes);
      this.receive = sabotage.receive?.(node!.receive, store) ?? node!.receive;
      network.attach(this.id, this.receive);
      this.#note('is ready');
      if (this.#parts.lags().length > 0) node!.setLags(this.#parts.lags());
      if (this.#parts.heals) node!.startBackground();
      this.#parts.started?.(this, node!, clock);
      if (this.#parts.settlesAtStart) node!.settleAccepted(() => this.#note('has settled what it had accepted'));
    });
  }

  /** Kills the process, or stops it in order, unless it is down; it starts again after `downMs`. */
  crash(downMs: number, isInOrder = false): void {
    if (this.isDown) return;
    if (isInOrder) this.node?.stop();
    const unflushed = this.#disk.volatileWriteCount;
    this.kill(isInOrder ? unflushed : randomBelow(this.#parts.random, unflushed + 1));
    const incarnation = this.#incarnation;
    this.#parts.time.after(downMs, () => {
      if (this.#incarnation === incarnation) this.start();
    });
  }

  /** Kills the process, which runs. Of what was not flushed, the oldest `survivors` writes are on the disk all the same. */
  kill(survivors: number): void {
    assert(!this.isDown);
    this.isDown = true;
    this.#isDiskFailing = false;
    this.#incarnation++;
    this.lastCrashMs = this.#parts.time.nowMs;
    const unflushed = this.#disk.volatileWriteCount;
    this.#note(`crashes, ${survivors} of ${unflushed} unflushed writes survive`);
    this.#clock.stop();
    this.#parts.network.detach(this.id);
    this.node = undefined;
    this.remote = undefined;
    this.receive = undefined;
    this.#disk.crash(survivors);
  }

  /** While it is down. The new disk has another id, unless `keepsId`, and no vote, unless `keepsVote`. */
  replaceDisk(keepsVote: boolean, keepsId = keepsVote): void {
    assert(this.isDown);
    this.#note('gets an empty disk');
    const { diskId, isBootstrap } = this.#settings;
    const newId = keepsId || keepsVote ? diskId : diskId + 10;
    this.#settings = { ...this.#settings, diskId: newId, isBootstrap: isBootstrap && keepsVote };
    this.#disk = this.#newDisk();
  }

  /** An administrator sets the clock while the process runs. */
  stepClock(byMs: number): void {
    this.#clock.skewMs += byMs;
    this.#note(`clock steps by ${byMs} ms`);
  }

  /** The next flush fails: the disk refuses all that it has not written by then, and reads show again what it holds. */
  failDisk(): void {
    if (this.node === undefined) return;
    this.#isDiskFailing = true;
    this.#note('disk is full');
  }

  /** The bytes of a record are not those that were written any more; nothing if it has none. */
  rot(name: 'items' | 'paxos', key: StoreKey): void {
    if (this.#disk.get(name, key) === undefined) return;
    this.#note(`disk rots: ${name === 'items' ? 'a committed' : 'an accepted'} record`);
    this.#disk.damage(name, key);
  }

  /** The committed records of a range of keys that its disk has; without those that cannot be read. */
  committedIn(from: StoreKey, to: StoreKey): { readonly key: StoreKey; readonly record: ItemRecord }[] {
    const rows = this.#disk.range('items', { from, to, limit: Number.MAX_SAFE_INTEGER });
    return rows.flatMap(({ key, value }) => (value === DAMAGED ? [] : [{ key, record: decodeRecord(value) }]));
  }

  /** The committed record of a key that no crash can take from it; `damaged` if that cannot be read. */
  durableOf(key: StoreKey): ItemRecord | undefined | 'damaged' {
    const stored = this.#disk.durable('items', key);
    if (stored === DAMAGED) return 'damaged';
    return stored === undefined ? undefined : decodeRecord(stored);
  }

  /** Whether its disk has a row of a local index; one that is damaged is made again when somebody needs it. */
  hasLocalRow(row: StoreKey, sortKey: ByteString): boolean {
    const value = this.#disk.get('lsi', row);
    return value === DAMAGED || (value !== undefined && Buffer.from(value).toString('latin1') === sortKey);
  }

  /** As `rot`, of a row of a store. @param share which one of those that `isMeant`, 0 to 1 */
  rotAny(name: StoreName, share: number, isMeant: (key: StoreKey) => boolean): void {
    const rows = this.#disk.range(name, { from: '', to: '\xff\xff', limit: Number.MAX_SAFE_INTEGER });
    const keys = rows.map(({ key }) => key).filter(isMeant);
    if (keys.length === 0) return;
    this.#note(`disk rots: a row of ${name}`);
    this.#disk.damage(name, keys[Math.floor(share * keys.length)]!);
  }

  /** Ends what is wrong with this host: it runs, its clock is right, its disk has room. */
  heal(): void {
    if (this.isDown) this.start();
    this.#clock.skewMs = 0;
    this.#isDiskFailing = false;
  }

  /** Sends what this replica has committed of `key` to another; what it has accepted too, if `sendsUnchosen`. */
  repair(to: NodeId, key: StoreKey, sendsUnchosen: boolean): void {
    if (this.receive === undefined) return;
    const transport = this.#parts.network.transportOf(this.id, () => false);
    const request: Request = sendsUnchosen ? { kind: 'read', key, epoch: 0 } : { kind: 'read-committed', key };
    this.receive(this.id, request, (reply) => {
      const record = reply.kind === 'state' ? topOf(reply) : undefined;
      if (record !== undefined) transport.send(to, { kind: 'learn', key, record }, () => {});
    });
  }

  #newDisk(): MemoryStore {
    const { time, random, faults } = this.#parts;
    const disk = new MemoryStore({
      flushAfter: (complete) => {
        const isSlow = random.next() < 0.1;
        const isFailing = this.#isDiskFailing;
        const incarnation = this.#incarnation;
        this.#isDiskFailing = false;
        time.after(0.1 + random.next() * (isSlow ? faults.slowestFlushMs : 1), () => {
          if (!isFailing) return complete();
          if (this.#incarnation !== incarnation) return;
          this.#note(`disk refuses ${disk.volatileWriteCount} unflushed writes`);
          disk.fail(new Error('disk full'));
        });
      },
    });
    return disk;
  }

  #note(what: string): void {
    this.#parts.trace.add(this.#parts.time.nowMs, `-- ${this.id} ${what}`);
  }
}

export interface HostParts {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly faults: HostFaults;
  readonly network: SimulatedNetwork;
  readonly trace: Trace;
  readonly sabotage: Sabotage;
  /** Whether the node settles what it had accepted, each time it starts. */
  readonly settlesAtStart: boolean;
  /** Whether the node does in the background what it does for itself. */
  readonly heals: boolean;
  /** Called when the node runs. */
  readonly started?: (host: SimulatedHost, node: StorageNode, clock: Clock) => void;
  /** The rules of lag at the moment, for a node that starts. */
  readonly lags: () => readonly LagRule[];
  /** The decided configs at the moment, for a node that starts. */
  readonly ring: () => readonly PartitionConfig[];
}
