import type { ItemKey, LagRule } from '../dynamo/client.ts';
import type { MoveProgress } from '../dynamo/epochs/rebalancer.ts';
import type { RepairReport } from '../dynamo/healing/anti-entropy.ts';
import type { ScrubReport } from '../dynamo/healing/scrub.ts';
import { partitionOf, storeKeyOf } from '../dynamo/keyspace.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { RingClient } from '../dynamo/ring-client.ts';
import { RingError } from '../dynamo/ring-error.ts';
import type { RingView } from '../dynamo/ring-view.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { PeerTransport, Port } from '../env/peer-channel.ts';
import { type Location, locationOf, type ReplicaDescription, replicaOf } from './locate.ts';
import { diskOf } from './node-name.ts';
import { addReports, performWork } from './node-work.ts';
import type { Peer } from './peer.ts';
import { LONGEST_REST_MS, type PeerLags } from './peer-lags.ts';
import type { NodeWork, PeerAnswer, PeerRequest, WorkReport } from './peer-messages.ts';
import type { NodeDescription, RingDescription } from './ring-description.ts';
import type { RingExamination } from './ring-examination.ts';
import type { ServedRing } from './served-ring.ts';
import { behindAfterRepair, NOTHING_REPAIRED, untilConsistent } from './until-consistent.ts';

/** The wait between two looks at whether they are alike: hints are offered, and nodes probed, about as often. */
const CONSISTENT_POLL_MS = 200;

export interface PeerRingParts {
  /** The ring as this process knows it. */
  readonly view: RingView;
  readonly client: RingClient;
  /** The node of this process; undefined in a front. */
  readonly own: Peer | undefined;
  /** How the node of this process keeps rules of lag; in a front, what the rules are. */
  readonly lags: PeerLags;
  readonly transport: Pick<PeerTransport<unknown>, 'isUp'>;
  readonly port: Pick<Port<PeerRequest, PeerAnswer>, 'ask'>;
  /** The nodes that shall hold the ring, also those that hold nothing yet. */
  readonly roster: () => readonly NodeId[];
  readonly moves: () => MoveProgress;
  readonly examine: () => Promise<RingExamination>;
  readonly clock: Clock;
  /** Ends what runs here. */
  readonly close: () => Promise<void>;
}

/** A ring at most one of whose nodes runs in this process. The others are asked. */
export class PeerRing implements ServedRing {
  readonly #parts: PeerRingParts;
  #isClosed = false;
  /** Works under way during which no node keeps rules of lag. */
  #worksWithoutLags = 0;

  constructor(parts: PeerRingParts) {
    this.#parts = parts;
  }

  get client(): RingClient {
    return this.#parts.client;
  }

  describe(): RingDescription {
    const { view, own, transport, moves } = this.#parts;
    const nodes = this.#nodes.map((id): NodeDescription => {
      if (id === own?.id) return own.describe();
      return { id, state: transport.isUp(id) ? 'up' : 'stopped', status: undefined };
    });
    return { nodes, partitions: view.configs, moves: moves() };
  }

  examine(): Promise<RingExamination> {
    this.#checkOpen();
    return this.#parts.examine();
  }

  async locate(key: ItemKey): Promise<Location> {
    const { view, own } = this.#parts;
    const storeKey = storeKeyOf(key, view.partitions);
    const { members } = view.newestConfig(partitionOf(storeKey));
    const replicas = members.map(async ({ node }): Promise<ReplicaDescription> => {
      if (node === own?.id) return replicaOf(storeKey, node, own.node);
      const answer = await this.#ask(node, { kind: 'replica', key: storeKey });
      return answer?.kind === 'replica' ? { ...answer.replica, node } : { node, isKnown: false };
    });
    return locationOf(storeKey, view, await Promise.all(replicas));
  }

  nodeOfDisk(diskId: number): NodeId | undefined {
    return this.#nodes.find((node) => diskOf(node) === diskId);
  }

  setLags(rules: readonly LagRule[]): void {
    this.#checkOpen();
    this.#parts.lags.set(rules);
  }

  async repair(): Promise<RepairReport> {
    return this.#withoutLags(async () => ({ ...NOTHING_REPAIRED, ...(await this.#byAll('repair')) }));
  }

  async scrub(): Promise<ScrubReport> {
    return { ...NOTHING_SCRUBBED, ...(await this.#byAll('scrub')) };
  }

  /** @throws RingError that says what is behind, if replicas are not alike in time */
  async waitUntilConsistent(withinMs?: number): Promise<void> {
    const repairAndFindBehind = () => this.#repairAndFindBehind();
    const { clock } = this.#parts;
    await this.#withoutLags(() =>
      untilConsistent({ clock, withinMs, pollMs: CONSISTENT_POLL_MS, repairAndFindBehind }),
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#parts.client.stop();
    this.#parts.lags.stop();
    await this.#parts.close();
  }

  get #nodes(): readonly NodeId[] {
    const { view, roster } = this.#parts;
    return [...new Set([...view.preferenceList(0), ...roster()])];
  }

  /** Makes no node keep rules of lag while some work lasts. All processes know the same rules: nobody asks if there are none. */
  async #withoutLags<T>(work: () => Promise<T>): Promise<T> {
    const { lags, clock } = this.#parts;
    if (lags.isEmpty) return work();
    let timer: Timer;
    const renew = () => {
      timer = clock.after(LONGEST_REST_MS / 2, () => {
        void this.#restLags(LONGEST_REST_MS);
        renew();
      });
    };
    this.#worksWithoutLags++;
    try {
      await this.#restLags(LONGEST_REST_MS);
      renew();
      return await work();
    } finally {
      clock.cancel(timer);
      // Nodes know who rests them, and not what for.
      if (--this.#worksWithoutLags === 0) await this.#restLags(0);
    }
  }

  async #restLags(forMs: number): Promise<void> {
    const { own, lags, transport } = this.#parts;
    if (!this.#isClosed) lags.rest(own?.id ?? '', forMs);
    const others = this.#nodes.filter((id) => id !== own?.id && transport.isUp(id));
    await Promise.all(others.map((id) => this.#ask(id, { kind: 'rest-lags', forMs })));
  }

  async #repairAndFindBehind(): Promise<string[]> {
    const { view, moves } = this.#parts;
    this.#checkOpen();
    const absent = this.describe().nodes.filter(({ state }) => state !== 'up');
    if (absent.length > 0) return absent.map(({ id, state }) => `${id} is ${state}`);
    const { partitions = 0, recordsRepaired = 0 } = await this.#byEach('settle').then(() => this.#byEach('repair'));
    // Once more: a repair may have let a node begin what it had to do.
    const undone: string[] = [];
    const { hints = 0, owed = 0, unsettled = 0 } = await this.#byEach('settle', undone);
    const behind = [...undone, ...behindAfterRepair({ partitions, recordsRepaired }, view.configs)];
    if (hints > 0) behind.push(`${hints} hints are kept`);
    if (owed > 0) behind.push(`indexes are to be told of ${owed} items`);
    if (unsettled > 0) behind.push(`${unsettled} nodes have accepted what is not settled`);
    if (moves().left > 0) behind.push(`${moves().left} partitions are to be moved`);
    return behind;
  }

  /** @throws RingError if a node that is up did not do it, such as since it has too much to do already */
  async #byAll(work: NodeWork): Promise<WorkReport> {
    const undone: string[] = [];
    const report = await this.#byEach(work, undone);
    if (undone.length > 0) throw new RingError(undone.join('; '));
    return report;
  }

  /**
   * Has each node that is up do some work, one after the other.
   *
   * @param undone gets a line for each node that has not said that it did it
   * @returns the sums of their reports
   */
  async #byEach(work: NodeWork, undone: string[] = []): Promise<WorkReport> {
    const { own, transport } = this.#parts;
    let total: WorkReport = {};
    for (const id of this.#nodes) {
      this.#checkOpen();
      if (id === own?.id) {
        total = addReports(total, await new Promise<WorkReport>((resolve) => performWork(own, work, resolve)));
      } else if (transport.isUp(id)) {
        const answer = await this.#ask(id, { kind: 'work', work });
        if (answer?.kind === 'done') total = addReports(total, answer.report);
        else undone.push(`${id} did not ${work}: ${answer?.kind === 'cannot' ? answer.reason : STILL}`);
      }
    }
    return total;
  }

  #ask(to: NodeId, request: PeerRequest): Promise<PeerAnswer | undefined> {
    return new Promise((resolve) => {
      this.#parts.port.ask(to, request, (outcome) => resolve(outcome.kind === 'answered' ? outcome.answer : undefined));
    });
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new RingError('the ring is closed');
  }
}

/** Nobody waits for longer than a request lives, and the work goes on without its asker. */
const STILL = 'no answer in time, and it may go on with it: ask again later';
const NOTHING_SCRUBBED: ScrubReport = { records: 0, damaged: 0, restored: 0, ms: 0 };
