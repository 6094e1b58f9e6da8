import type { LagPlace, LagRule } from '../../../src/dynamo/client.ts';
import { collectionPrefix } from '../../../src/dynamo/keyspace.ts';
import type { PartitionConfig } from '../../../src/dynamo/messages.ts';
import type { NodeId } from '../../../src/dynamo/ring.ts';
import { SOUND_RULES } from '../../../src/dynamo/rules.ts';
import { SeededRandom } from '../../../src/env/random.ts';
import type { StoreKey } from '../../../src/env/store.ts';
import type { Defects } from '../broken-rules.ts';
import { ChosenRecords } from '../chosen-records.ts';
import { History } from '../history.ts';
import { SCENARIOS } from '../scenarios.ts';
import { SimulatedHost } from '../simulated-host.ts';
import { SimulatedMembership } from '../simulated-membership.ts';
import { SimulatedNetwork } from '../simulated-network.ts';
import { ToldRecords } from '../told-records.ts';
import { Trace } from '../trace.ts';
import { VirtualTime } from '../virtual-time.ts';
import { PlannedCourier } from './planned-courier.ts';
import type { Setting } from './story.ts';

const TABLE = 'table-01';
/** The scope of a rule of lag. */
export const EVERYTHING: readonly LagPlace[] = [{ kind: 'table', table: TABLE }];
/** Of those whose hash is in the first half of the ring. */
export const PARTITION_KEY = 'x';
/** In which a node in the background compares itself with each other. */
const ANTI_ENTROPY_INTERVAL_MS = 400;
/** A story draws numbers only for what does not matter to it: pauses, the time of a flush. */
const SEED = 7;
const NO_CHANCE = {
  loss: 0,
  doubling: 0,
  slowness: 0,
  slowestMs: 0,
  slowLinks: new Set<string>(),
  echoes: undefined,
  cuts: [],
};

/** The nodes of one story, its network and time, and the judges that watch. One key, in the first partition. */
export class StoryWorld {
  readonly key: StoreKey = collectionPrefix(TABLE, PARTITION_KEY, 2);
  readonly time = new VirtualTime();
  readonly trace = new Trace(true);
  readonly history = new History();
  readonly courier = new PlannedCourier(this.time, this.trace);
  readonly chosen: ChosenRecords;
  /** In `dynamo` mode it takes the place of the chosen records: blind writes are not chosen. */
  readonly told: ToldRecords;
  readonly hosts: readonly SimulatedHost[];
  readonly membership: SimulatedMembership;
  readonly defects: Defects;
  isBackgroundOn = false;
  lags: readonly LagRule[] = [];

  constructor(setting: Setting, defects: Defects) {
    this.defects = defects;
    const { members, spares, consistency } = setting;
    this.told = new ToldRecords(members.length);
    const ids = [...members, ...spares];
    // The second partition is there to make the spare nodes known, as in a ring that has more.
    const configs = [members, [...spares, ...members].slice(0, members.length)].map(configOf);
    this.chosen = new ChosenRecords(members.length, configs, (id) => this.host(id));
    const random = new SeededRandom(SEED);
    const network = new SimulatedNetwork({
      time: this.time,
      random,
      faults: NO_CHANCE,
      trace: this.trace,
      observer: consistency === 'dynamo' ? this.told : this.chosen,
      tampering: defects.tampering?.() ?? {},
      courier: this.courier,
      sendsBytes: true,
    });
    this.hosts = ids.map((id) => this.#makeHost(id, setting, configs, random, network));
    this.membership = new SimulatedMembership({
      time: this.time,
      random,
      trace: this.trace,
      hosts: this.hosts,
      configs,
      roster: this.hosts.filter(({ id }) => members.includes(id)).map(({ member }) => member),
      replication: members.length,
      emptyDiskVotes: defects.emptyDiskVotes === true,
      emptyDiskKeepsId: defects.emptyDiskKeepsId === true,
      decidesByMembers: false,
      tellsNobody: defects.tellsNobody === true,
      decidesAnyAttempt: defects.decidesAnyAttempt === true,
      decided: (config) => this.#noteDecided(config),
    });
  }

  host(id: NodeId): SimulatedHost {
    return this.hosts.find((host) => host.id === id)!;
  }

  /** The home replicas as they are decided now. */
  get homes(): readonly SimulatedHost[] {
    return this.membership.configs[0]!.members.map(({ node }) => this.host(node));
  }

  stop(): void {
    for (const host of this.hosts) host.stop();
    this.membership.stop();
  }

  #makeHost(
    id: NodeId,
    { consistency, members, spares, limits, ...quorums }: Setting,
    ring: readonly PartitionConfig[],
    random: SeededRandom,
    network: SimulatedNetwork,
  ): SimulatedHost {
    const settings = {
      ...quorums,
      id,
      diskId: diskIdOf(id),
      readFrom: 'first' as const,
      antiEntropyIntervalMs: ANTI_ENTROPY_INTERVAL_MS,
      ring,
      isBootstrap: true,
      limits: { ...SCENARIOS.healing.limits, ...limits, ...this.defects.limits },
      rules: { ...SOUND_RULES, ...this.defects.rules },
      checks: this.defects.checks ?? 'all',
    };
    const world = this;
    return new SimulatedHost(settings, {
      time: this.time,
      random,
      faults: { maxSkewMs: 0, slowestFlushMs: 1 },
      network,
      trace: this.trace,
      sabotage: this.defects.sabotage ?? {},
      settlesAtStart: false,
      get heals() {
        return world.isBackgroundOn;
      },
      ring: () => this.membership.configs,
      lags: () => this.lags,
    });
  }

  /** As in random histories; stories have no tombstones that are too old to be told of. */
  #noteDecided(config: PartitionConfig): void {
    const voters = config.members
      .filter(({ node, diskId }) => this.host(node).member.diskId === diskId)
      .map(({ node }) => this.host(node));
    const staged = voters.map((host) => host.beginningOf(config)).filter((beginning) => beginning !== undefined);
    this.told.decided(config, staged);
    this.chosen.decided(config, staged, voters.length - staged.length, () => false);
  }
}

function configOf(members: readonly NodeId[], partition: number): PartitionConfig {
  return { partition, epoch: 0, members: members.map((node) => ({ node, diskId: diskIdOf(node) })), attempt: 0 };
}

function diskIdOf(id: NodeId): number {
  return id.charCodeAt(0) - 64;
}
