import { silentLog } from '../../src/env/log.ts';
import type { PeerRecord } from '../../src/env/peer-record.ts';
import { Founder } from '../../src/peer/founder.ts';
import { peerNodeId } from '../../src/peer/node-name.ts';
import { ManualClock } from '../parts/manual-clock.ts';

/** A process on a disk, which may not run now. */
interface Machine {
  disk: PeerRecord;
  founder: Founder | undefined;
  /** Set when it has ended by itself. */
  stoppedBy: string | undefined;
}

export interface WorldOptions {
  /** Numbers from 0 to 1, which decide about every message. */
  readonly random: () => number;
  readonly partitions?: number;
}

/** Processes that found a cluster over a network that loses, delays and doubles, on disks that keep what was saved. */
export class FoundingWorld {
  readonly clock = new ManualClock();
  readonly machines = new Map<string, Machine>();
  /** Ids of clusters that some disk has formed, ever. */
  readonly formed = new Set<string>();
  readonly cuts = new Set<string>();
  lossRate = 0;
  #lastCluster = 0;
  #lastDisk = 0;
  readonly #options: WorldOptions;

  constructor(options: WorldOptions) {
    this.#options = options;
  }

  /** `dynaring init` and an empty directory; without founders only the latter. @returns the id of the node */
  add(name: string, founders?: readonly string[]): string {
    const diskId = ++this.#lastDisk;
    const right = founders && {
      founders: [...founders].sort(),
      partitions: this.#options.partitions ?? 8,
      replication: Math.min(3, founders.length),
    };
    const id = peerNodeId(name, diskId);
    const disk: PeerRecord = { diskId, name, boot: 1, state: 'new', ...(right && { right }) };
    this.machines.set(id, { disk, founder: undefined, stoppedBy: undefined });
    return id;
  }

  start(id: string): void {
    const machine = this.machines.get(id);
    if (machine === undefined || machine.founder !== undefined || machine.stoppedBy !== undefined) return;
    const founder = new Founder({
      disk: machine.disk,
      save: (disk) => {
        machine.disk = disk;
        if (disk.state === 'formed') this.formed.add(disk.cluster!.clusterId);
      },
      peers: () => [...this.machines.keys()].filter((other) => other !== id && this.#reaches(id, other)),
      ask: (to, request, done) => {
        this.#carry(id, to, () => {
          const asked = this.machines.get(to)?.founder;
          if (asked === undefined) return;
          const answer = asked.answer(request);
          this.#carry(to, id, () => {
            if (machine.founder === founder) done(answer);
          });
        });
      },
      newClusterId: () => `00000000-0000-0000-0000-${String(++this.#lastCluster).padStart(12, '0')}`,
      clock: this.clock,
      log: silentLog,
      onCluster: () => {},
      onStop: (reason) => {
        machine.stoppedBy = reason;
        machine.founder = undefined;
      },
    });
    machine.founder = founder;
    founder.start();
  }

  kill(id: string): void {
    const machine = this.machines.get(id);
    machine?.founder?.stop();
    if (machine !== undefined) machine.founder = undefined;
  }

  /** Loses a disk, with its process. */
  lose(id: string): void {
    this.kill(id);
    this.machines.delete(id);
  }

  heal(): void {
    this.cuts.clear();
    this.lossRate = 0;
  }

  states(): readonly string[] {
    return [...this.machines.values()].map(
      ({ disk }) => `${disk.name}: ${disk.state} ${disk.cluster?.clusterId ?? ''}`,
    );
  }

  #reaches(from: string, to: string): boolean {
    return this.machines.get(to)?.founder !== undefined && !this.cuts.has(`${from} ${to}`);
  }

  #carry(from: string, to: string, deliver: () => void): void {
    const { random } = this.#options;
    const times = random() < this.lossRate ? 0 : random() < 0.1 ? 2 : 1;
    for (let i = 0; i < times; i++) {
      this.clock.after(1 + Math.floor(random() * (random() < 0.1 ? 3_000 : 50)), () => {
        if (this.#reaches(from, to)) deliver();
      });
    }
  }
}
