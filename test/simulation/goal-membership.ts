import type { ConfigRegister } from '../../src/dynamo/epochs/config-register.ts';
import { collectionPrefix } from '../../src/dynamo/keyspace.ts';
import type { PartitionConfig } from '../../src/dynamo/messages.ts';
import type { StorageNode } from '../../src/dynamo/node.ts';
import { RingError } from '../../src/dynamo/ring-error.ts';
import type { Clock } from '../../src/env/clock.ts';
import { silentLog } from '../../src/env/log.ts';
import { type Random, randomBelow } from '../../src/env/random.ts';
import { type Goal, wantedMembers, withAdded, withRemoved, withReplaced } from '../../src/peer/goal.ts';
import { Leaving } from '../../src/peer/leaving.ts';
import { Mover, type MoverParts, type WantedMembers } from '../../src/peer/mover.ts';
import { readOf, writeOf } from '../dynamo/coordination-requests.ts';
import type { ChosenRecords } from './chosen-records.ts';
import type { ConfigJudge } from './config-judge.ts';
import { itemOf, registerValueOf } from './item-value.ts';
import type { Membership } from './membership.ts';
import type { MembershipChange } from './scenarios.ts';
import type { SimulatedHost } from './simulated-host.ts';
import type { Trace } from './trace.ts';
import type { VirtualTime } from './virtual-time.ts';

/** What is wrong with how the goal is changed, or with how a node leaves. */
export interface GoalDefects {
  /** A node that the goal names no more ends as soon as it hears of that. */
  readonly leavesAtOnce?: boolean;
  /** A disk that has left is taken in again. */
  readonly comesBack?: boolean;
  /** Attempts have numbers of their own, and no majority of an epoch knows which was the last. */
  readonly attemptsAreNotChosen?: boolean;
  /** Movers act on the goal that they have heard of, and never read it. */
  readonly goalIsHearsay?: boolean;
}

/** Times of the order of the simulated network's. */
const MOVER_LIMITS = { lookMs: 25, goalReadMs: 120, turnMs: 60, sealedMs: 120, mostSealedMs: 300 };
const LEAVING_LIMITS = { lookMs: 40, handOffMs: 400, hintsMs: 1_500 };
/** How often the operator looks for disks that are lost. */
const OPERATOR_MS = 150;
/** How often an edit is tried. */
const EDITS = 4;
const TABLE = 'system-1';

type Edit = (goal: Goal) => Goal | undefined;

/**
 * The membership of a cluster of several processes: the goal is an item of the ring itself, every node has a mover, and a
 * node that the goal names no more leaves. A host is a disk for ever: one whose disk is lost does not come back, and its
 * name is given to another one. All of that is the system's own code, but for the operator.
 */
export class GoalMembership implements Membership {
  readonly #parts: GoalMembershipParts;
  readonly #goalKey: string;
  /** What the value of the goal's item stands for. */
  readonly #goals = new Map<string, Goal>();
  readonly #first: Goal;
  /** The goal that each host has heard of. */
  readonly #heard = new Map<SimulatedHost, Goal>();
  readonly #movers = new Map<SimulatedHost, Mover>();
  readonly #leaving = new Map<SimulatedHost, Leaving>();
  /** The disks that edits have brought in, or will. */
  readonly #promised = new Set<number>();
  #isStopped = false;
  #edits = 0;
  #unchosen = 0;

  constructor(parts: GoalMembershipParts) {
    this.#parts = parts;
    this.#goalKey = collectionPrefix(TABLE, 'goal', parts.configs.length);
    const wanted = parts.configs.map(({ members }) => members.map(({ node }) => node.toLowerCase()));
    const roster = parts.founders.map(({ member }) => ({ name: member.node.toLowerCase(), diskId: member.diskId }));
    this.#first = { version: 1, roster, past: [], wanted, level: 1, settings: {} };
  }

  get configs(): readonly PartitionConfig[] {
    return this.#parts.configs;
  }

  isNamed({ member }: SimulatedHost, partition: number): boolean {
    return this.configs[partition]!.members.some(({ diskId }) => diskId === member.diskId);
  }

  /** A node runs: so do its mover and, if it has heard that it is out, its leave. */
  started(host: SimulatedHost, node: StorageNode, clock: Clock): void {
    const { random, defects } = this.#parts;
    this.#leaving.delete(host);
    const mover = new Mover({
      node: defects.attemptsAreNotChosen === true ? this.#withUnchosenAttempts(node) : node,
      clock,
      random,
      log: silentLog,
      limits: defects.goalIsHearsay === true ? { ...MOVER_LIMITS, goalReadMs: 1e9 } : MOVER_LIMITS,
      goal: () => this.#wantedOf(this.#heard.get(host) ?? this.#first),
      readGoal: (done) => {
        if (defects.goalIsHearsay === true) return done(this.#wantedOf(this.#heard.get(host) ?? this.#first));
        this.#read(host, (goal) => {
          if (goal !== undefined) this.#hear(host, goal, clock);
          done(goal && this.#wantedOf(goal));
        });
      },
    });
    this.#movers.set(host, mover);
    mover.start();
    const heard = this.#heard.get(host);
    if (heard !== undefined) this.#hear(host, heard, clock);
  }

  change(kind: MembershipChange): void {
    const { random, hosts, trace, time, replication } = this.#parts;
    trace.add(time.nowMs, `-- membership: ${kind}`);
    const { roster } = this.newest;
    switch (kind) {
      case 'join': {
        const spares = this.#spares().slice(0, 1 + randomBelow(random, 3));
        for (const { member } of spares) {
          this.#promised.add(member.diskId);
          this.#edit((goal) => withAdded(goal, { name: this.#freeName(goal, member.node), diskId: member.diskId }));
        }
        return;
      }
      case 'leave': {
        const most = Math.max(1, roster.length - replication);
        const names = shuffled(roster, random)
          .slice(0, 1 + randomBelow(random, most))
          .map(({ name }) => name);
        return this.#edit((goal) => withRemoved(goal, names, replication));
      }
      case 'replace': {
        // Whoever does this takes the old process for lost.
        const [spare] = this.#spares();
        const node = roster[randomBelow(random, roster.length)]!;
        if (spare === undefined || !this.#mayLose(hosts.find((host) => host.member.diskId === node.diskId)!)) return;
        this.#promised.add(spare.member.diskId);
        return this.#edit((goal) => this.#replaced(goal, node.name, node.diskId, spare.member.diskId));
      }
      case 'lose': {
        const victim = hosts[randomBelow(random, hosts.length)]!;
        if (victim.isGone || this.#isPromised(victim) || !this.#mayLose(victim)) return;
        trace.add(time.nowMs, `-- ${victim.id} loses its disk`);
        victim.end();
        return;
      }
      case 'shuffle':
        return this.#edit((goal) => ({
          ...goal,
          version: goal.version + 1,
          wanted: goal.wanted.map(() =>
            shuffled(goal.roster, random)
              .slice(0, replication)
              .map(({ name }) => name),
          ),
        }));
      case 'again': {
        const running = hosts.flatMap(({ node }) => node ?? []);
        if (running.length === 0) return;
        const leader = running[randomBelow(random, running.length)]!;
        const { partition } = this.configs[randomBelow(random, this.configs.length)]!;
        const { members } = leader.view.newestConfig(partition);
        return leader.changeEpoch(leader.configRegister(), partition, members, () => {});
      }
      case 'absence':
        throw new Error('nodes are away by crashes here');
    }
  }

  settle(): void {}

  /** The operator gives the names of lost disks to spare ones. */
  watch(): void {
    const { time, random, hosts, replication } = this.#parts;
    if (this.#isStopped) return;
    time.after(OPERATOR_MS * (0.5 + random.next()), () => {
      for (const { name, diskId } of this.newest.roster) {
        const host = hosts.find((each) => each.member.diskId === diskId)!;
        if (!host.isGone) continue;
        const [spare] = this.#spares();
        if (spare) this.#promised.add(spare.member.diskId);
        if (spare) this.#edit((goal) => this.#replaced(goal, name, diskId, spare.member.diskId));
        else this.#edit((goal) => withRemoved(goal, [name], replication));
        break;
      }
      this.watch();
    });
  }

  stop(): void {
    this.#isStopped = true;
    for (const mover of this.#movers.values()) mover.stop();
    for (const leaving of this.#leaving.values()) leaving.stop();
  }

  /** The newest goal that was ever decided. */
  get newest(): Goal {
    const chosen = this.#parts.chosen.chosen(this.#goalKey).at(-1);
    return this.#goals.get(registerValueOf(chosen?.item) ?? '') ?? this.#first;
  }

  get isSettled(): boolean {
    return this.#wounds().length === 0;
  }

  /** Why it is not settled. */
  get unsettled(): string {
    return this.#wounds().join('; ');
  }

  #wounds(): string[] {
    const goal = this.newest;
    const wounds: string[] = [];
    for (const host of this.#parts.hosts) {
      const isIn = goal.roster.some(({ diskId }) => diskId === host.member.diskId);
      if (isIn && host.isGone) wounds.push(`${host.id} is in the roster and gone`);
      if (!host.isGone && goal.past.includes(host.member.diskId)) wounds.push(`${host.id} has not left`);
    }
    for (const config of this.configs) {
      const wanted = this.#wantedOf(goal).membersOf(config.partition);
      const isSame = config.members.every(({ diskId }) => wanted.some((member) => member.diskId === diskId));
      if (!isSame) wounds.push(`partition ${config.partition} has not moved`);
    }
    return wounds;
  }

  /**
   * Whether every partition keeps a majority, in each config that may still be needed, of disks that are neither lost nor
   * replaced by an operator who takes them for lost.
   */
  #mayLose(victim: SimulatedHost): boolean {
    const { hosts, judge, replication } = this.#parts;
    const { roster, past } = this.newest;
    const isSound = (host: SimulatedHost) => host !== victim && !host.isGone && !past.includes(host.member.diskId);
    const isKnown = (diskId: number) => roster.some((node) => node.diskId === diskId);
    const lost = hosts.filter((host) => isKnown(host.member.diskId) && !isSound(host)).length;
    if (lost > this.#spares().filter((spare) => spare !== victim).length && roster.length - lost < replication)
      return false;
    return this.configs.every(({ partition }) =>
      judge.neededConfigs(partition).every(({ members }) => {
        const sound = members.filter(({ diskId }) => isSound(hosts.find((host) => host.member.diskId === diskId)!));
        return sound.length >= Math.floor(members.length / 2) + 1;
      }),
    );
  }

  /** Hosts that run or will, and have never been in the roster. */
  #spares(): SimulatedHost[] {
    const { roster, past } = this.newest;
    const isFree = (diskId: number) =>
      !roster.some((node) => node.diskId === diskId) &&
      (!past.includes(diskId) || this.#parts.defects.comesBack === true);
    return shuffled(
      this.#parts.hosts.filter((host) => !host.isGone && isFree(host.member.diskId)),
      this.#parts.random,
    );
  }

  /** Whether an edit under way brings it in: nobody could say then whether there are enough others to lose it. */
  #isPromised({ member }: SimulatedHost): boolean {
    const { roster } = this.newest;
    return this.#promised.has(member.diskId) && !roster.some(({ diskId }) => diskId === member.diskId);
  }

  #freeName({ roster }: Goal, node: string): string {
    const name = node.toLowerCase();
    return roster.some((each) => each.name === name) ? `${name}${this.#edits}` : name;
  }

  #replaced(goal: Goal, name: string, oldDisk: number, newDisk: number): Goal {
    const { comesBack } = this.#parts.defects;
    const from = comesBack === true ? { ...goal, past: goal.past.filter((diskId) => diskId !== newDisk) } : goal;
    return withReplaced(from, name, oldDisk, newDisk);
  }

  #wantedOf(goal: Goal): WantedMembers {
    const { hosts } = this.#parts;
    const nodeOf = (_name: string, diskId: number) => hosts.find(({ member }) => member.diskId === diskId)!.id;
    return { version: goal.version, membersOf: (partition) => wantedMembers(goal, partition, nodeOf) };
  }

  #hear(host: SimulatedHost, goal: Goal, clock: Clock): void {
    const { defects } = this.#parts;
    if (goal.version >= (this.#heard.get(host) ?? this.#first).version) this.#heard.set(host, goal);
    const { node } = host;
    const isOut = this.#heard.get(host)?.past.includes(host.member.diskId) === true;
    if (!isOut || node === undefined || this.#leaving.has(host)) return;
    const end = () => {
      this.#movers.get(host)?.stop();
      host.end();
    };
    if (defects.leavesAtOnce === true) return end();
    const leaving = new Leaving({
      node,
      clock,
      log: silentLog,
      limits: LEAVING_LIMITS,
      done: end,
    });
    this.#leaving.set(host, leaving);
    leaving.start();
  }

  #withUnchosenAttempts(node: StorageNode): MoverParts['node'] {
    const register: ConfigRegister = {
      read: (partition, done) => node.configRegister().read(partition, done),
      begin: (_base, done) => done({ kind: 'attempt', attempt: 1_000 + ++this.#unchosen }),
      decide: (next, done) => node.configRegister().decide(next, done),
    };
    return {
      id: node.id,
      view: node.view,
      seemsUp: (other) => node.seemsUp(other),
      isSealed: (partition) => node.isSealed(partition),
      votingConfig: (partition) => node.votingConfig(partition),
      begunAttempt: (partition, epoch) => node.begunAttempt(partition, epoch),
      configRegister: () => node.configRegister(),
      changeEpoch: (_register, partition, members, done) => node.changeEpoch(register, partition, members, done),
    };
  }

  #read(host: SimulatedHost, done: (goal: Goal | undefined) => void): void {
    host.node!.coordinate(readOf(this.#goalKey, 'latest'), (outcome) => {
      if (outcome.kind === 'found') done(this.#goals.get(registerValueOf(outcome.item) ?? ''));
      else done(outcome.kind === 'none' ? this.#first : undefined);
    });
  }

  /** A conditional write by a random node. If its outcome is unknown, nobody waits for it. */
  #edit(edit: Edit, tries = EDITS): void {
    const { random, hosts, time } = this.#parts;
    const running = hosts.filter((host) => host.node !== undefined && this.isInRoster(host));
    const by = running[randomBelow(random, Math.max(running.length, 1))];
    const again = () => {
      if (tries > 1 && !this.#isStopped) time.after(20 + random.next() * 60, () => this.#edit(edit, tries - 1));
    };
    if (by === undefined) return again();
    this.#read(by, (goal) => {
      if (goal === undefined || by.node === undefined) return again();
      const next = refusable(() => edit(goal));
      if (next === undefined) return;
      const value = `goal-${++this.#edits}`;
      this.#goals.set(value, next);
      const present = [...this.#goals].find(([, each]) => each === goal)?.[0];
      const condition =
        present === undefined
          ? ({ kind: 'not-exists', path: ['v'] } as const)
          : ({
              kind: 'compare',
              comparator: '=',
              left: { kind: 'path', path: ['v'] },
              right: { kind: 'value', value: { S: present } },
            } as const);
      const mutation = { kind: 'put', item: itemOf(value), condition } as const;
      by.node.coordinate(writeOf(this.#goalKey, mutation, { partitionKey: 'goal' }), (outcome) => {
        if (outcome.kind !== 'applied') again();
      });
    });
  }

  isInRoster({ member }: SimulatedHost): boolean {
    return this.newest.roster.some(({ diskId }) => diskId === member.diskId);
  }
}

function refusable(edit: () => Goal | undefined): Goal | undefined {
  try {
    return edit();
  } catch (error) {
    if (error instanceof RingError) return undefined;
    throw error;
  }
}

function shuffled<T>(all: readonly T[], random: Random): T[] {
  return all
    .map((each) => ({ each, place: random.next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ each }) => each);
}

export interface GoalMembershipParts {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly trace: Trace;
  readonly hosts: readonly SimulatedHost[];
  readonly founders: readonly SimulatedHost[];
  /** The decided ones, by partition; whoever decides replaces them. */
  readonly configs: PartitionConfig[];
  /** N */
  readonly replication: number;
  readonly chosen: ChosenRecords;
  readonly judge: ConfigJudge;
  readonly defects: GoalDefects;
}
