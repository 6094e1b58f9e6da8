import { silentLog } from '../../src/env/log.ts';
import type { FoundingRight, PeerRecord } from '../../src/env/peer-record.ts';
import { type Random, randomBelow, SeededRandom } from '../../src/env/random.ts';
import { Founder, type FoundingRequest } from '../../src/peer/founder.ts';
import { type FoundingAnswer, type FoundingRules, SOUND_FOUNDING } from '../../src/peer/founding.ts';
import { peerNodeId } from '../../src/peer/node-name.ts';
import type { Violation } from './checks.ts';
import type { Trace } from './trace.ts';
import { SimulatedClock, VirtualTime } from './virtual-time.ts';

/** What happens where several processes become one cluster. */
export interface FoundingPlan {
  /** Whether second processes run under the names of founders, each with a disk of its own. */
  readonly hasTwins: boolean;
  /** Whether the cluster, once it is founded, grows, and then all founders get new disks. */
  readonly livesOn: boolean;
}

/** What is wrong with how a cluster is founded. */
export interface FoundingDefects {
  readonly rules?: Partial<FoundingRules>;
  /** Every start gives its disk the right to found, whatever that was; `init` does not matter. */
  readonly commandFounds?: boolean;
}

/** A machine with its disk, for as long as that is not lost. */
interface Machine {
  readonly id: string;
  disk: PeerRecord;
  founder: Founder | undefined;
  clock: SimulatedClock | undefined;
}

/** Faults begin within this time, and end then. */
const FAULTY_MS = 6_000;
/** From then on until everything has to be as it should. */
const FOUNDED_WITHIN_MS = 15_000;
/** So long after that a machine has stopped, the operator looks at it. */
const OPERATOR_MS = 400;
const MAX_EVENTS = 200_000;
const NAMES = ['a', 'b', 'c', 'd', 'e'];
const NEW_NAMES = ['x', 'y'];

/**
 * One history of a founding by the system's own code: founders start in any order and subset, crash, lose their disks, refuse
 * to write, and hear messages late, twice or never. Never are there two clusters at a time, none is formed that not all of its
 * founders have agreed to; and in the end there is one.
 */
export class FoundingHistory {
  readonly violations: Violation[] = [];
  readonly #plan: FoundingPlan;
  readonly #defects: FoundingDefects;
  readonly #random: Random;
  readonly #trace: Trace;
  readonly #time = new VirtualTime();
  readonly #machines: Machine[] = [];
  readonly #right: FoundingRight;
  /** By cluster: the disks that have agreed to it, durably. */
  readonly #agreed = new Map<string, Set<number>>();
  readonly #cuts = new Set<string>();
  readonly #loss: number;
  #isFaulty = true;
  #disks = 0;
  #clusters = 0;
  #asked = 0;

  constructor(plan: FoundingPlan, seed: number, defects: FoundingDefects, trace: Trace) {
    this.#plan = plan;
    this.#defects = defects;
    this.#trace = trace;
    this.#random = new SeededRandom(seed);
    for (let i = 0; i < 3; i++) this.#random.next();
    this.#loss = [0, 0.1, 0.3, 0.5][randomBelow(this.#random, 4)]!;
    const founders = NAMES.slice(0, 2 + randomBelow(this.#random, NAMES.length - 1));
    this.#right = { founders, partitions: 4, replication: Math.min(3, founders.length) };
  }

  /** How often anybody has asked another one. */
  get asked(): number {
    return this.#asked;
  }

  run(): void {
    const random = this.#random;
    for (const name of this.#right.founders) {
      const { id } = this.#add(name, true);
      // Some come when all others have waited for long.
      this.#time.after(random.next() < 0.3 ? random.next() * FAULTY_MS : random.next() * 100, () => this.#start(id));
    }
    for (let count = randomBelow(random, 14); count > 0; count--) {
      this.#time.after(random.next() * FAULTY_MS, () => this.#strike());
    }
    if (this.#plan.livesOn) this.#time.after(FAULTY_MS / 3, () => this.#grow());
    this.#time.after(FAULTY_MS, () => this.#heal());
    this.#time.after(FAULTY_MS + FOUNDED_WITHIN_MS, () => this.#end());
    try {
      this.#time.run(MAX_EVENTS);
    } catch (error) {
      this.violations.push({ kind: 'threw', what: (error as Error).stack ?? String(error) });
    }
  }

  #strike(): void {
    const random = this.#random;
    const victim = this.#machines[randomBelow(random, this.#machines.length)]!;
    const kind = random.next();
    if (kind < 0.4) {
      this.#crash(victim);
      this.#time.after(random.next() * 1_500, () => this.#start(victim.id));
    } else if (kind < 0.65) {
      const other = this.#machines[randomBelow(random, this.#machines.length)]!;
      this.#note(`${victim.id} does not reach ${other.id}`);
      this.#cuts.add(`${victim.id} ${other.id}`);
      this.#time.after(random.next() * 2_500, () => this.#cuts.delete(`${victim.id} ${other.id}`));
    } else if (kind < 0.85) {
      if (this.#mayLose(victim)) this.#replace(victim);
    } else if (this.#plan.hasTwins && victim.disk.name !== this.#right.founders.at(-1)) {
      // One founder has no twin: on two whole sets of disks, `init` founds two clusters.
      const { id } = this.#add(victim.disk.name, this.#mayFound());
      this.#time.after(random.next() * 500, () => this.#start(id));
    }
  }

  /** The last disk of a cluster is not lost, unless others have not heard yet that it is formed: they begin again. */
  #mayLose(victim: Machine): boolean {
    const others = this.#machines.filter((each) => each !== victim);
    const isFirst = others.some(({ disk }) => disk.state === 'bound') && this.#formed().length === 1;
    return victim.disk.state !== 'formed' || isFirst || others.some(({ disk }) => disk.state === 'formed');
  }

  /** The disk of a machine is lost, and an empty one put in: `init` is run on it, unless the operator sees a cluster. */
  #replace(victim: Machine): void {
    this.#crash(victim);
    this.#machines.splice(this.#machines.indexOf(victim), 1);
    this.#note(`${victim.id} loses its disk`);
    const { id } = this.#add(victim.disk.name, this.#mayFound() && this.#right.founders.includes(victim.disk.name));
    this.#time.after(this.#random.next() * 300, () => this.#start(id));
  }

  /** Others are taken in, and then all founders are replaced, one after the other. */
  #grow(): void {
    if (this.#formed().length === 0) return;
    for (const name of NEW_NAMES) this.#start(this.#add(name, false).id);
    for (const name of this.#right.founders) {
      this.#time.after(400 + (this.#random.next() * FAULTY_MS) / 3, () => {
        // Whoever was taken in knows the cluster before a founder's disk is taken out.
        const isKnown = this.#machines.some(({ disk }) => NEW_NAMES.includes(disk.name) && disk.cluster !== undefined);
        const victim = this.#machines.find(({ disk }) => disk.name === name);
        if (isKnown && victim !== undefined) this.#replace(victim);
      });
    }
  }

  /** Whether an operator who looks at all disks sees no cluster. */
  #mayFound(): boolean {
    return this.#machines.every(({ disk }) => disk.state !== 'formed' && (disk.state === 'bound' || !disk.cluster));
  }

  #heal(): void {
    this.#note('all faults end');
    this.#isFaulty = false;
    this.#cuts.clear();
    for (const { id } of [...this.#machines]) this.#start(id);
  }

  #end(): void {
    for (const machine of this.#machines) machine.founder?.stop();
    const known = new Set(
      this.#machines.flatMap(({ disk }) => (disk.state === 'formed' ? disk.cluster!.clusterId : [])),
    );
    // With twins an operator has to say which of them is meant; a cluster whose founders are all replaced goes on with others.
    if (this.#plan.hasTwins || this.#plan.livesOn) return;
    const left = this.#machines.filter(({ disk }) => disk.cluster === undefined || disk.state === 'bound');
    if (known.size === 0) this.violations.push({ kind: 'not-healed', what: 'there is no cluster' });
    for (const { id, disk } of known.size === 0 ? [] : left) {
      this.violations.push({ kind: 'not-healed', what: `${id} is ${disk.state} and knows of no cluster` });
    }
  }

  #add(name: string, mayFound: boolean): Machine {
    const diskId = ++this.#disks;
    const disk: PeerRecord = { diskId, name, boot: 0, state: 'new', ...(mayFound && { right: this.#right }) };
    const machine = { id: peerNodeId(name, diskId), disk, founder: undefined, clock: undefined };
    this.#machines.push(machine);
    return machine;
  }

  #start(id: string): void {
    const machine = this.#machines.find((each) => each.id === id);
    if (machine === undefined || machine.founder !== undefined) return;
    const { right: _right, ...bare } = machine.disk;
    const isCommanded = this.#defects.commandFounds === true && this.#right.founders.includes(bare.name);
    const disk = isCommanded && bare.cluster === undefined ? { ...bare, right: this.#right } : machine.disk;
    machine.disk = { ...disk, boot: disk.boot + 1 };
    this.#note(`${id} starts, ${this.#show(machine)}`);
    const clock = new SimulatedClock(this.#time, 0);
    const founder = new Founder({
      disk: machine.disk,
      save: (next) => this.#save(machine, next),
      peers: () =>
        this.#machines.filter((each) => each !== machine && this.#reaches(id, each.id)).map((each) => each.id),
      ask: (to, request, done) => this.#ask(machine, founder, to, request, done),
      newClusterId: () => `00000000-0000-0000-0000-${String(++this.#clusters).padStart(12, '0')}`,
      clock,
      log: silentLog,
      onCluster: () => {},
      onStop: (reason) => {
        this.#note(`${id} stops: ${reason}`);
        this.#time.after(OPERATOR_MS, () => this.#mend(machine));
      },
      rules: { ...SOUND_FOUNDING, ...this.#defects.rules },
    });
    machine.founder = founder;
    machine.clock = clock;
    founder.start();
  }

  /** A founder has stopped: an operator who sees no cluster empties the disks of all, and begins again. */
  #mend(stopped: Machine): void {
    if (!this.#machines.includes(stopped) || stopped.founder === undefined) return;
    if (!this.#mayFound()) return this.#replace(stopped);
    this.#note('the operator begins again');
    const names = new Set<string>();
    for (const machine of [...this.#machines]) {
      if (!names.has(machine.disk.name)) this.#replace(machine);
      else {
        this.#crash(machine);
        this.#machines.splice(this.#machines.indexOf(machine), 1);
      }
      names.add(machine.disk.name);
    }
  }

  #save(machine: Machine, next: PeerRecord): void {
    if (this.#isFaulty && this.#random.next() < 0.03) {
      this.#note(`${machine.id} cannot write`);
      throw new Error('no space left');
    }
    machine.disk = next;
    const { cluster, state } = next;
    this.#note(`${machine.id} is ${this.#show(machine)}`);
    if (cluster === undefined || state === 'new') return;
    const agreed = this.#agreed.get(cluster.clusterId) ?? new Set();
    this.#agreed.set(cluster.clusterId, agreed.add(next.diskId));
    if (state !== 'formed') return;
    for (const { name, diskId } of cluster.members) {
      if (agreed.has(diskId)) continue;
      this.violations.push({ kind: 'unfounded', what: `${cluster.clusterId} is formed without the word of ${name}` });
    }
    for (const name of this.#right.founders.filter((each) => !cluster.members.some((member) => member.name === each))) {
      this.violations.push({ kind: 'unfounded', what: `${cluster.clusterId} is formed without ${name}` });
    }
    for (const other of this.#formed()) {
      if (other.disk.cluster!.clusterId === cluster.clusterId) continue;
      const what = `${machine.id} has formed ${cluster.clusterId}, ${other.id} is in ${other.disk.cluster!.clusterId}`;
      this.violations.push({ kind: 'two-clusters', what });
    }
  }

  /** Whoever is in a cluster, or waits for it to take him in. */
  #formed(): Machine[] {
    return this.#machines.filter(({ disk }) => disk.cluster !== undefined && disk.state !== 'bound');
  }

  #crash(machine: Machine): void {
    if (machine.founder === undefined) return;
    this.#note(`${machine.id} crashes`);
    machine.founder.stop();
    machine.clock!.stop();
    machine.founder = undefined;
  }

  #ask(
    machine: Machine,
    founder: Founder,
    to: string,
    request: FoundingRequest,
    done: (answer: FoundingAnswer) => void,
  ): void {
    this.#asked++;
    const { id } = machine;
    this.#carry(id, to, request.kind, () => {
      const asked = this.#machines.find((each) => each.id === to)?.founder;
      if (asked === undefined) return;
      let answer: FoundingAnswer;
      try {
        answer = asked.answer(request);
      } catch {
        return;
      }
      this.#carry(to, id, answer.state, () => {
        if (machine.founder === founder) done(answer);
      });
    });
  }

  #carry(from: string, to: string, what: string, arrive: () => void): void {
    const random = this.#random;
    const isLost = this.#isFaulty && random.next() < this.#loss;
    const times = isLost ? 0 : this.#isFaulty && random.next() < 0.1 ? 2 : 1;
    for (let i = 0; i < times; i++) {
      const isLate = this.#isFaulty && random.next() < 0.1;
      this.#time.after(1 + random.next() * (isLate ? 3_000 : 50), () => {
        if (!this.#reaches(from, to)) return;
        this.#trace.add(this.#time.nowMs, from, ' > ', to, '  ', what);
        arrive();
      });
    }
  }

  #reaches(from: string, to: string): boolean {
    return (
      !this.#cuts.has(`${from} ${to}`) && this.#machines.some(({ id, founder }) => id === to && founder !== undefined)
    );
  }

  #show({ disk }: Machine): string {
    const right = disk.right === undefined ? '' : ', may found';
    return `${disk.state} ${disk.cluster?.clusterId.slice(-4) ?? ''}${right}`;
  }

  #note(what: string): void {
    this.#trace.add(this.#time.nowMs, `-- ${what}`);
  }
}
