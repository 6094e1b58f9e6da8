import type { ConfigRegister } from '../../src/dynamo/epochs/config-register.ts';
import { Rebalancer, withNode, withoutNode } from '../../src/dynamo/epochs/rebalancer.ts';
import type { Member, PartitionConfig } from '../../src/dynamo/messages.ts';
import { silentLog } from '../../src/env/log.ts';
import { type Random, randomBelow } from '../../src/env/random.ts';
import type { Membership } from './membership.ts';
import type { MembershipChange } from './scenarios.ts';
import type { SimulatedHost } from './simulated-host.ts';
import type { Trace } from './trace.ts';
import { SimulatedClock, type VirtualTime } from './virtual-time.ts';

/** A controller that has not ended by now has died with its node. */
const CONTROLLER_LIFE_MS = 600;

/**
 * Who is in the ring of one history, and the record that decides it: atomic, and late with its answers, if it is not the
 * members who decide. The moves are made
 * by the system's own code, each led by a random node that is up, which may crash meanwhile.
 */
export class SimulatedMembership implements Membership {
  readonly configs: readonly PartitionConfig[];
  /** Undefined where members keep it. */
  readonly register: ConfigRegister | undefined;
  readonly #parts: RebalancerParts;
  readonly #rebalancer: Rebalancer;
  #roster: readonly Member[];
  #isSettled = true;
  /** The last attempt that was begun for each partition. */
  readonly #attempts = new Map<number, number>();
  #lastAttempt = 0;
  /** Nodes that are away and will be back. */
  #absent = 0;

  constructor(parts: RebalancerParts) {
    this.#parts = parts;
    this.configs = parts.configs;
    this.#roster = parts.roster;
    const { time, random } = parts;
    this.register = parts.decidesByMembers ? undefined : this.#sharedRegister(parts);
    this.#rebalancer = new Rebalancer({
      configs: () => this.configs,
      replication: parts.replication,
      clock: new SimulatedClock(time, 0),
      log: silentLog,
      retryMs: 40,
      roster: () => this.#roster,
      sealed: () => this.#sealed(),
      publish: (configs) => {
        if (parts.tellsNobody || parts.decidesByMembers) return;
        for (const { node } of parts.hosts) for (const config of configs) node?.learnConfig(config);
      },
      changeEpoch: ({ partition, members }, done) => {
        this.#lead(partition, members, done);
        // Another one has begun to move it, at the same time or a little later.
        if (parts.decidesByMembers && random.next() < 0.4) {
          const others = random.next() < 0.5 ? members : this.configs[partition]!.members;
          time.after(random.next() * 60, () => this.#lead(partition, others, () => {}));
        }
      },
    });
  }

  #sharedRegister({
    time,
    random,
    trace,
    configs,
    decided: tellDecided,
    decidesAnyAttempt,
  }: RebalancerParts): ConfigRegister {
    return {
      read: (partition, done) => {
        time.after(random.next() * 2, () => {
          const decided = this.configs[partition]!;
          time.after(random.next() * 2, () => done(decided));
        });
      },
      begin: ({ partition, epoch }, done) => {
        time.after(random.next() * 10, () => {
          const decided = this.configs[partition]!;
          if (decided.epoch > epoch) {
            time.after(random.next() * 10, () => done({ kind: 'decided', config: decided }));
            return;
          }
          const attempt = ++this.#lastAttempt;
          this.#attempts.set(partition, attempt);
          time.after(random.next() * 10, () => done({ kind: 'attempt', attempt }));
        });
      },
      decide: (next, done) => {
        time.after(random.next() * 10, () => {
          const decided = this.configs[next.partition]!;
          const isLast = this.#attempts.get(next.partition) === next.attempt || decidesAnyAttempt;
          if (decided.epoch === next.epoch - 1 && isLast) {
            configs[next.partition] = next;
            const members = next.members.map(({ node }) => node).join('');
            trace.add(time.nowMs, `-- partition ${next.partition} is decided: epoch ${next.epoch}, ${members}`);
            tellDecided(next);
          }
          time.after(random.next() * 10, () => done(this.configs[next.partition]!));
        });
      },
    };
  }

  isNamed(host: SimulatedHost, partition: number): boolean {
    const { node, diskId } = host.member;
    return this.configs[partition]!.members.some((member) => member.node === node && member.diskId === diskId);
  }

  /** As long as the history goes on. */
  watch(): void {
    this.#rebalancer.watch(400);
  }

  /** Makes a change, unless an earlier one is still under way: of two disks lost in one epoch nobody can recover. */
  change(kind: MembershipChange): void {
    const { random, hosts, replication, trace, time } = this.#parts;
    if (!this.#isSettled) return;
    const inside = hosts.filter(({ id }) => this.#roster.some(({ node }) => node === id));
    const outside = hosts.filter((host) => !inside.includes(host));
    trace.add(time.nowMs, `-- membership: ${kind}`);
    switch (kind) {
      case 'join': {
        const spare = outside[0];
        if (spare === undefined) return;
        this.#roster = withNode(this.#roster, spare.member);
        return this.settle();
      }
      case 'leave': {
        if (inside.length <= replication) return;
        this.#roster = withoutNode(this.#roster, inside[randomBelow(random, inside.length)]!.id, replication);
        return this.settle();
      }
      case 'replace': {
        const victim = inside[randomBelow(random, inside.length)]!;
        if (victim.isDown) return;
        victim.crash(10 + random.next() * 60);
        victim.replaceDisk(this.#parts.emptyDiskVotes, this.#parts.emptyDiskKeepsId);
        this.#roster = this.#roster.map((member) => (member.node === victim.id ? victim.member : member));
        return this.settle();
      }
      case 'absence': {
        const victim = inside[randomBelow(random, inside.length)]!;
        if (inside.length <= replication || victim.isDown) return;
        const awayMs = 500 + random.next() * 500;
        victim.crash(awayMs);
        this.#roster = withoutNode(this.#roster, victim.id, replication);
        this.#absent++;
        time.after(awayMs + random.next() * 60, () => this.#returnOf(victim));
        return this.settle();
      }
      case 'again': {
        const { partition, members } = this.configs[randomBelow(random, this.configs.length)]!;
        return this.#lead(partition, members, () => {});
      }
      case 'lose':
      case 'shuffle':
        throw new Error('there is no goal here');
    }
  }

  /** Goes on until every partition is as the roster has it. */
  settle(): void {
    this.#isSettled = false;
    this.#rebalancer.rebalance(() => {
      this.#isSettled = true;
    });
  }

  get isSettled(): boolean {
    return this.#isSettled && this.#absent === 0;
  }

  /** One that was away comes back with the disk it has, as soon as the ring does nothing else. */
  #returnOf(host: SimulatedHost): void {
    const { time, trace } = this.#parts;
    if (!this.#isSettled) {
      time.after(30, () => this.#returnOf(host));
      return;
    }
    this.#absent--;
    trace.add(time.nowMs, `-- membership: ${host.id} is back`);
    if (!this.#roster.some(({ node }) => node === host.id)) this.#roster = withNode(this.#roster, host.member);
    this.settle();
  }

  stop(): void {
    this.#rebalancer.stop();
  }

  #lead(partition: number, members: readonly Member[], done: Parameters<SimulatedHost['changeEpoch']>[3]): void {
    const { hosts, random, time } = this.#parts;
    const running = hosts.filter(({ node }) => node !== undefined);
    if (running.length === 0) {
      time.after(20, () => done({ kind: 'failed', reason: 'nobody is up' }));
      return;
    }
    let isOver = false;
    const finish: typeof done = (outcome) => {
      if (isOver) return;
      isOver = true;
      done(outcome);
    };
    time.after(CONTROLLER_LIFE_MS, () => finish({ kind: 'failed', reason: 'the controller has died' }));
    const leader = running[randomBelow(random, running.length)]!;
    leader.changeEpoch(this.register ?? leader.node!.configRegister(), partition, members, finish);
  }

  #sealed(): number[] {
    return this.configs
      .filter(({ partition, epoch }) => this.#parts.hosts.some((host) => this.#isSealed(host, partition, epoch)))
      .map(({ partition }) => partition);
  }

  /**
   * Where members decide, one that is sealed still may have missed that an epoch after its own is decided: whoever led that
   * has died before telling it. A register for all tells it itself.
   */
  #isSealed(host: SimulatedHost, partition: number, epoch: number): boolean {
    if (host.node?.isSealed(partition) !== true) return false;
    if (this.#parts.decidesByMembers && this.isNamed(host, partition)) return true;
    return host.node.votingConfig(partition)?.epoch === epoch;
  }
}

interface RebalancerParts {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly trace: Trace;
  readonly hosts: readonly SimulatedHost[];
  /** The decided ones, by partition; whoever decides replaces them. */
  readonly configs: PartitionConfig[];
  readonly roster: readonly Member[];
  readonly replication: number;
  readonly emptyDiskVotes: boolean;
  readonly emptyDiskKeepsId: boolean;
  readonly decidesAnyAttempt: boolean;
  readonly tellsNobody: boolean;
  /** Whether the members of each epoch decide the next, and not one register for all. */
  readonly decidesByMembers: boolean;
  readonly decided: (config: PartitionConfig) => void;
}
