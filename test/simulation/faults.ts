import type { NodeId } from '../../src/dynamo/ring.ts';
import { type Random, randomBelow } from '../../src/env/random.ts';
import type { Scenario } from './scenarios.ts';
import type { HostFaults } from './simulated-host.ts';
import type { Cut, Echoes, NetworkFaults } from './simulated-network.ts';

/** What goes wrong in one history, and when; hosts by index. */
export interface Faults {
  readonly network: NetworkFaults;
  readonly host: HostFaults;
  readonly crashes: readonly {
    readonly host: number;
    readonly atMs: number;
    readonly downMs: number;
    /** Stopped, and not killed: all that was written is on the disk. */
    readonly isInOrder: boolean;
  }[];
  readonly clockSteps: readonly { readonly host: number; readonly atMs: number; readonly byMs: number }[];
  /** A disk refuses what it has not written yet: it is full for a moment. */
  readonly diskFailures: readonly { readonly host: number; readonly atMs: number }[];
  readonly diskLoss: { readonly host: number; readonly atMs: number; readonly downMs: number } | undefined;
  /** Whether a node settles, when it starts, what it had accepted. */
  readonly settlesAtStart: boolean;
  /** Whether replicas exchange committed records in the background. */
  readonly repairs: boolean;
  /** A record on the disk of one host, the same in all of a history, is damaged; keys by index. */
  readonly rot: readonly {
    readonly host: number;
    readonly atMs: number;
    readonly key: number;
    readonly name: 'items' | 'paxos';
  }[];
  readonly lags: readonly PlannedLag[];
  /** When all is released that rules of lag hold; they stay. */
  readonly releasesMs: readonly number[];
  /** As `rot`, of any row of these stores: entries of global indexes are in `items`. */
  readonly derivedRot: readonly {
    readonly host: number;
    readonly atMs: number;
    readonly name: 'items' | 'lsi' | 'outbox';
    /** Which row, 0 to 1. */
    readonly share: number;
  }[];
  /** A node is down for long. */
  readonly outages: readonly { readonly host: number; readonly atMs: number; readonly downMs: number }[];
  /** All nodes are killed, and start again after so long each. */
  readonly powerLosses: readonly { readonly atMs: number; readonly downMs: readonly number[] }[];
}

/** A rule of lag for a while. */
export interface PlannedLag {
  readonly startMs: number;
  readonly endMs: number;
  /** Which keys it is for, by index. */
  readonly holds: readonly boolean[];
  readonly release:
    | { readonly kind: 'never' }
    | { readonly kind: 'after' }
    | { readonly kind: 'versions'; readonly count: number };
}

const ECHOES: Record<NonNullable<Scenario['echoes']>, (scenario: Scenario) => Echoes> = {
  epochs: () => ({ kinds: new Set(['copy', 'seal', 'stage', 'activate', 'gossip']), chance: 0.5, withinMs: 500 }),
  records: ({ limits }) => ({ kinds: new Set(['learn']), chance: 1, withinMs: limits.messageLifeMs }),
};

/** The time in which faults begin. */
const FAULTY_MS = 500;

/** Draws the faults of one history, of the severity that its scenario names. */
export function drawFaults(scenario: Scenario, nodes: readonly NodeId[], random: Random): Faults {
  const isCalm = scenario.faults === 'calm';
  const isStress = scenario.faults === 'stress';
  const isFlapping = scenario.faults === 'flapping';
  const isSplit = scenario.faults === 'split' || scenario.faults === 'laggards';
  const host = () => randomBelow(random, nodes.length);
  const atMs = () => random.next() * FAULTY_MS;
  const repeat = <T>(count: number, draw: () => T) => Array.from({ length: count }, draw);
  const crashCount = isFlapping
    ? 40 + randomBelow(random, 50)
    : isStress
      ? 3 + randomBelow(random, 8)
      : randomBelow(random, 3);
  return {
    network: drawNetworkFaults(scenario, nodes, random),
    host: {
      maxSkewMs: scenario.clocksAgree ? 0 : pick(random, [0, 5, 60, 200]),
      slowestFlushMs: pick(random, [2, 10, 60]),
    },
    crashes: repeat(isCalm || isSplit || !scenario.crashes ? 0 : crashCount, () => ({
      host: host(),
      atMs: atMs(),
      downMs: isFlapping ? 0.5 + random.next() * 3 : isStress ? 1 + random.next() * 15 : 20 + random.next() * 200,
      isInOrder: scenario.stops && random.next() < 0.7,
    })),
    clockSteps: repeat(isCalm || scenario.clocksAgree ? 0 : pick(random, [0, 0, 1, 3]), () => ({
      host: host(),
      atMs: atMs(),
      byMs: Math.floor((random.next() - 0.5) * 400),
    })),
    diskFailures: repeat(isCalm || isSplit ? 0 : pick(random, [0, 0, 0, 1, 4]), () => ({ host: host(), atMs: atMs() })),
    diskLoss: scenario.losesDisk
      ? { host: host(), atMs: 30 + random.next() * 250, downMs: 10 + random.next() * 60 }
      : undefined,
    settlesAtStart: random.next() < 0.5,
    repairs: random.next() < 0.5,
    rot: scenario.rots ? drawRot(scenario, host(), random) : [],
    ...(scenario.lags ? drawLags(scenario, random) : { lags: [], releasesMs: [] }),
    derivedRot: scenario.rots && scenario.indexes !== undefined ? drawDerivedRot(host(), random) : [],
    outages: repeat(scenario.outages, () => ({ host: host(), atMs: atMs(), downMs: 900 + random.next() * 900 })),
    powerLosses: repeat(scenario.powerLosses, () => ({
      atMs: atMs(),
      downMs: nodes.map(() => 5 + random.next() * 50),
    })),
  };
}

function drawRot({ keys }: Scenario, host: number, random: Random): Faults['rot'] {
  return Array.from({ length: 5 + randomBelow(random, 40) }, () => ({
    host,
    atMs: random.next() * FAULTY_MS,
    key: randomBelow(random, keys),
    name: pick(random, ['items', 'items', 'paxos']),
  }));
}

function drawDerivedRot(host: number, random: Random): Faults['derivedRot'] {
  return Array.from({ length: 5 + randomBelow(random, 20) }, () => ({
    host,
    atMs: random.next() * FAULTY_MS,
    name: pick(random, ['items', 'lsi', 'outbox']),
    share: random.next(),
  }));
}

function drawLags({ keys }: Scenario, random: Random): Pick<Faults, 'lags' | 'releasesMs'> {
  const lags = Array.from({ length: 1 + randomBelow(random, 3) }, (): PlannedLag => {
    const startMs = random.next() * 0.6 * FAULTY_MS;
    const lastsMs = pick(random, [30, 200, 600, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    const holds = Array.from({ length: keys }, () => random.next() < 0.8);
    const kind = pick(random, ['never', 'after', 'versions'] as const);
    const release = kind === 'versions' ? { kind, count: 1 + randomBelow(random, 2) } : { kind };
    return { startMs, endMs: startMs + lastsMs * (0.5 + random.next()), holds, release };
  });
  const releasesMs = Array.from({ length: pick(random, [0, 0, 1, 2]) }, () => random.next() * FAULTY_MS);
  return { lags, releasesMs };
}

function drawNetworkFaults(scenario: Scenario, nodes: readonly NodeId[], random: Random): NetworkFaults {
  const isCalm = scenario.faults === 'calm';
  const isLossy = scenario.faults === 'lossy';
  const slowLinks = new Set<string>();
  for (const from of nodes) for (const to of nodes) if (from !== to && random.next() < 0.2) slowLinks.add(from + to);
  return {
    loss: isCalm ? 0 : pick(random, isLossy ? [0.2, 0.3, 0.4, 0.5] : [0, 0, 0.03, 0.1, 0.25]),
    doubling: isCalm ? 0 : pick(random, [0, 0, 0.1, 0.3]),
    slowness: scenario.faults === 'stress' || scenario.faults === 'laggards' ? 0.4 : pick(random, [0.05, 0.15, 0.3]),
    slowestMs: pick(random, [40, 90, 160]),
    slowLinks,
    echoes: scenario.echoes && ECHOES[scenario.echoes](scenario),
    cuts: isCalm ? [] : drawersOf(scenario)(nodes, random),
  };
}

function drawersOf({ faults }: Scenario): typeof drawCuts {
  if (faults === 'laggards') return drawAbsences;
  return faults === 'split' ? drawSplits : drawCuts;
}

/** Of two nodes from all others, the second of them later: what it has the first one lacks. */
function drawAbsences(nodes: readonly NodeId[], random: Random): Cut[] {
  const first = randomBelow(random, nodes.length);
  const second = (first + 1 + randomBelow(random, nodes.length - 1)) % nodes.length;
  const backMs = 1.3 * FAULTY_MS + random.next() * 0.5 * FAULTY_MS;
  return [first, second].flatMap((index, i) => {
    const one = nodes[index]!;
    const startMs = 100 * i + random.next() * 100;
    return nodes.flatMap((peer) => [
      { from: one, to: peer, startMs, endMs: backMs },
      { from: peer, to: one, startMs, endMs: backMs },
    ]);
  });
}

/** Each between two nodes, one way or both, or of one node from all others. */
function drawCuts(nodes: readonly NodeId[], random: Random): Cut[] {
  const cuts: Cut[] = [];
  for (let count = randomBelow(random, 3); count > 0; count--) {
    const startMs = random.next() * FAULTY_MS;
    const endMs = startMs + 40 + random.next() * 250;
    const one = nodes[randomBelow(random, nodes.length)]!;
    const other = nodes[randomBelow(random, nodes.length)]!;
    const isOneWay = random.next() < 0.4;
    for (const peer of one === other ? nodes : [other]) {
      cuts.push({ from: one, to: peer, startMs, endMs });
      if (!isOneWay) cuts.push({ from: peer, to: one, startMs, endMs });
    }
  }
  return cuts;
}

/** Each for a while between two parts of the nodes. */
function drawSplits(nodes: readonly NodeId[], random: Random): Cut[] {
  const cuts: Cut[] = [];
  for (let count = 1 + randomBelow(random, 3); count > 0; count--) {
    const startMs = random.next() * FAULTY_MS;
    const endMs = startMs + 100 + random.next() * 250;
    const isHere = new Map(nodes.map((node) => [node, random.next() < 0.5]));
    for (const from of nodes) {
      for (const to of nodes) {
        if (isHere.get(from) !== isHere.get(to)) cuts.push({ from, to, startMs, endMs });
      }
    }
  }
  return cuts;
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[randomBelow(random, choices.length)]!;
}
