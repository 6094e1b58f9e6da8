import type { LagRule } from '../dynamo/client.ts';
import type { RepairReport } from '../dynamo/healing/anti-entropy.ts';
import type { ScrubReport } from '../dynamo/healing/scrub.ts';
import type { PurgeReport } from '../dynamo/healing/tombstones.ts';
import type { Clock } from '../env/clock.ts';
import { unlessDamaged } from '../env/store-damage.ts';
import type { PeerWork } from '../peer/peer.ts';
import type { RingDescription } from '../peer/ring-description.ts';
import { behindAfterRepair, NOTHING_REPAIRED, untilConsistent } from '../peer/until-consistent.ts';
import type { LocalNodes } from './local-nodes.ts';
import type { RingLifetime } from './ring-lifetime.ts';

/** The wait between two looks at whether they are alike. Hints are offered, and nodes probed, less often. */
const CONSISTENT_POLL_MS = 20;

interface RingHealerParts {
  readonly nodes: LocalNodes;
  readonly lifetime: RingLifetime;
  readonly clock: Clock;
  readonly describe: () => RingDescription;
}

/** Makes the replicas of a ring alike, and lets them lag behind on purpose. */
export class RingHealer {
  readonly #parts: RingHealerParts;
  #lags: readonly LagRule[] = [];
  /** Repairs under way. Meanwhile no replica lags. */
  #repairs = 0;

  constructor(parts: RingHealerParts) {
    this.#parts = parts;
  }

  /** The rules of lag that nodes keep now. */
  get lagsInForce(): readonly LagRule[] {
    return this.#repairs > 0 ? [] : this.#lags;
  }

  /**
   * Lets replicas lag by these rules, in place of those before. Records that only the old rules held back are released.
   */
  setLags(rules: readonly LagRule[]): void {
    this.#parts.lifetime.checkOpen();
    this.#lags = [...rules];
    this.#tellLags();
  }

  /** Releases all that rules of lag hold back; the rules stay. */
  releaseLags(): void {
    for (const { node } of this.#parts.nodes.peers) unlessDamaged(() => node.releaseLags());
  }

  /** @returns the sums of all nodes; `ms` too, as one works after the other */
  repair(): Promise<RepairReport> {
    return this.#withoutLags(() => this.#repairOnce());
  }

  /** @throws RingError that says what is behind, if replicas are not alike in time */
  async waitUntilConsistent(withinMs?: number): Promise<void> {
    const repairAndFindBehind = () => this.#repairAndFindBehind();
    const { clock } = this.#parts;
    await this.#withoutLags(() =>
      untilConsistent({ clock, withinMs, pollMs: CONSISTENT_POLL_MS, repairAndFindBehind }),
    );
  }

  /** Settles what nodes have accepted without learning its outcome, for example before they were killed. */
  async settleAccepted(): Promise<void> {
    await this.#byEach({ ifStopped: {}, begin: (node, done) => node.settleAccepted(() => done({})) });
  }

  /** Puts the entries of indexes in place that their coordinators have left to be sent. */
  async #settleOutboxes(): Promise<void> {
    await this.#byEach({ ifStopped: {}, begin: (node, done) => node.settleOutbox(() => done({})) });
  }

  purgeTombstones(): Promise<PurgeReport> {
    return this.#byEach<PurgeReport>({
      ifStopped: { purged: 0, waiting: 0 },
      begin: (node, done) => node.purgeTombstones(done),
    });
  }

  scrub(): Promise<ScrubReport> {
    return this.#byEach<ScrubReport>({
      ifStopped: { records: 0, damaged: 0, restored: 0, ms: 0 },
      begin: (node, done) => node.scrub(done),
    });
  }

  #repairOnce(): Promise<RepairReport> {
    return this.#byEach<RepairReport>({ ifStopped: NOTHING_REPAIRED, begin: (node, done) => node.repair(done) });
  }

  /** Has each node that is up do some work, one after the other. @returns the sums of their reports */
  async #byEach<Report extends { readonly [Name in keyof Report]: number }>(work: PeerWork<Report>): Promise<Report> {
    const { nodes, lifetime } = this.#parts;
    lifetime.checkOpen();
    let total = work.ifStopped;
    for (const peer of nodes.activePeers) {
      total = addUp(total, await lifetime.untilClosed<Report>((resolve) => peer.perform(work, resolve)));
    }
    return total;
  }

  /** Repairs once. @returns what still keeps `waitUntilConsistent` waiting */
  async #repairAndFindBehind(): Promise<string[]> {
    const { nodes, lifetime, describe } = this.#parts;
    lifetime.checkOpen();
    // A node that does not answer cannot be compared with, and the repair would wait for it.
    const absent = nodes.describe().filter(({ state }) => state !== 'up');
    if (absent.length > 0) return absent.map(({ id, state }) => `${id} is ${state}`);
    await this.settleAccepted();
    await this.#settleOutboxes();
    const report = await this.#repairOnce();
    const { nodes: described, partitions: configs, moves } = describe();
    const behind = behindAfterRepair(report, configs);
    for (const { id, state, status } of described) {
      if (state !== 'up') behind.push(`${id} is ${state} now`);
      if (status !== undefined && status.hints > 0) behind.push(`${id} keeps ${status.hints} hints`);
      if (status !== undefined && status.owed > 0) behind.push(`${id} has ${status.owed} items to tell indexes of`);
      if (nodes.peerOf(id)?.node.isUnsettled === true) behind.push(`${id} has accepted what is not settled`);
    }
    if (moves.left > 0) behind.push(`${moves.left} partitions are to be moved`);
    return behind;
  }

  async #withoutLags<T>(work: () => Promise<T>): Promise<T> {
    this.#repairs++;
    this.#tellLags();
    try {
      return await work();
    } finally {
      this.#repairs--;
      this.#tellLags();
    }
  }

  #tellLags(): void {
    for (const { node } of this.#parts.nodes.peers) unlessDamaged(() => node.setLags(this.lagsInForce));
  }
}

/** The sums of two reports. */
function addUp<Report extends { readonly [Name in keyof Report]: number }>(one: Report, other: Report): Report {
  const names = Object.keys(one) as (keyof Report)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as Report;
}
