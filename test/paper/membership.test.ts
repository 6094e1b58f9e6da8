/*
 * The Dynamo paper (SOSP 2007), sections 4.8 and 4.9, claim by claim.
 *
 * | of the paper                                      | here                                                             |
 * | ------------------------------------------------- | ---------------------------------------------------------------- |
 * | histories of membership changes are reconciled    | of each partition the config of the greater epoch; each was       |
 * |                                                   | decided by one register, so two never conflict                    |
 * | a node chooses tokens when it first starts        | the roster is dealt out anew (section 4.2)                        |
 * | seeds, so that the ring does not fall apart       | a node starts with the ring as it was decided, and asks all whom  |
 * |                                                   | `--join` names, for as long as it runs (protocol.md 16.3)         |
 * | without requests nobody needs to know who is down | light probes, so that hints go out and reads need no time-out     |
 * | ranges are handed over between two nodes          | to all new members from all old ones, before they vote            |
 */
import { describe, expect, test } from 'vitest';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import type { Sent } from '../parts/memory-node.ts';
import { NAMES, PaperRing } from './paper-ring.ts';

const NAME = 'cart';
const { gossipIntervalMs, suspectAfterMs, probeIntervalMs, phaseTimeoutMs } = DEFAULT_NODE_LIMITS;

function filledRing(nodes: number) {
  const ring = new PaperRing({ nodes, writeQuorum: 3 });
  for (const name of NAMES) ring.put('node-1', name, 'x');
  ring.startBackground();
  ring.run(100);
  return ring;
}

const epochsOf = (ring: PaperRing, id: string) => ring.node(id).view.configs.map(({ epoch }) => epoch);

function partitionsAt(ring: PaperRing, id: string): number[] {
  return ring.configs.flatMap(({ partition, members }) => (members.some(({ node }) => node === id) ? [partition] : []));
}

/** Every item is where it belongs, and nowhere else. */
function expectAllAtHome(ring: PaperRing) {
  for (const name of NAMES) {
    expect(ring.homesOf(name)).toHaveLength(3);
    expect(ring.holdersOf(name).sort(), name).toEqual(ring.homesOf(name).sort());
  }
}

const isBetween = (one: string, other: string) => (sent: Sent) =>
  (sent.from === one && sent.to === other) || (sent.from === other && sent.to === one);

describe('4.8.1 ring membership', () => {
  test('a node that is down does not make the ring rebalance, however long', () => {
    const ring = filledRing(4);
    ring.kill('node-2');
    ring.run(5 * 60_000);
    for (const id of ring.ids) expect(epochsOf(ring, id)).toEqual(new Array(ring.partitions).fill(0));
    expect(partitionsAt(ring, 'node-2').length).toBeGreaterThan(0);
  });

  test('nodes come and go by explicit order, as often as one likes', () => {
    const ring = filledRing(4);
    const added = ring.add();
    const all = ring.ids;
    for (const roster of [all, all.slice(1), all, all.filter((id) => id !== added), all]) {
      expect(ring.setRoster(roster)).toBe(true);
      ring.run(10_000);
      for (const id of all) expect(partitionsAt(ring, id).length > 0, id).toBe(roster.includes(id));
      expectAllAtHome(ring);
    }
  });

  test('each node turns to another, drawn at random, once a second', () => {
    const ring = filledRing(5);
    expect(gossipIntervalMs).toBe(1_000);
    const sent = ring.during(() => ring.run(100_000));
    for (const id of ring.ids) {
      const told = sent.filter(({ from, kind, isReply }) => from === id && kind === 'gossip' && !isReply);
      expect(Math.abs(told.length - 100)).toBeLessThanOrEqual(1);
      for (const other of ring.ids) {
        const times = told.filter(({ to }) => to === other).length;
        // Of a hundred draws among four, less than five on one of them would be as good as never.
        if (other === id) expect(times).toBe(0);
        else expect(times).toBeGreaterThanOrEqual(5);
      }
    }
  });

  test('what one node knows of a change, all know in the end', () => {
    const ring = filledRing(6);
    const config = ring.configs[0]!;
    const next = { ...config, epoch: 1, attempt: 1, members: [...config.members].reverse() };
    ring.node('node-6').learnConfig(next);
    expect(ring.ids.filter((id) => epochsOf(ring, id)[0] === 1)).toEqual(['node-6']);
    ring.run(20 * gossipIntervalMs);
    for (const id of ring.ids) expect(ring.node(id).view.newestConfig(0)).toEqual(next);
  });

  test.each(['node-1', 'node-2'])('two that meet both end up with what is newer, if %s begins too', (asking) => {
    const ring = new PaperRing({ nodes: 2, replication: 2, partitions: 2 });
    const next = ring.configs.map((config) => ({ ...config, epoch: config.partition + 1, attempt: 1 }));
    ring.node('node-1').learnConfig(next[0]!);
    ring.node('node-2').learnConfig(next[1]!);
    ring.isLost = ({ kind, from, isReply }) => kind === 'gossip' && !isReply && from !== asking;
    ring.startBackground();
    ring.run(gossipIntervalMs + 10);
    for (const id of ring.ids) expect(epochsOf(ring, id)).toEqual([1, 2]);
  });

  test('what a node holds of the ring is on its disk: after a restart it goes on from there', () => {
    const ring = filledRing(4);
    const founded = [...ring.configs];
    const added = ring.add();
    expect(ring.setRoster(ring.ids)).toBe(true);
    ring.run(10_000);
    const moved = partitionsAt(ring, added);
    expect(moved.length).toBeGreaterThan(0);
    ring.kill(added);
    ring.isLost = () => true;
    // It is told of the ring as it was first, and hears nothing.
    ring.start(added, false, founded);
    for (const partition of moved) {
      expect(ring.node(added).votingConfig(partition)).toEqual(ring.configs[partition]);
      expect(ring.node(added).view.newestConfig(partition)).toEqual(ring.configs[partition]);
    }
  });

  test('knowing the ranges of all others, a node sends requests for a key to the right ones at once', () => {
    const ring = filledRing(4);
    ring.add();
    expect(ring.setRoster(ring.ids)).toBe(true);
    ring.run(20 * gossipIntervalMs);
    for (const name of NAMES) {
      for (const at of ring.ids) {
        const asked = ring.during(() => ring.get(at, name)).filter(({ kind }) => kind === 'read-committed');
        expect(asked.map(({ to }) => to).sort()).toEqual(ring.homesOf(name).sort());
      }
    }
  });
});

describe('4.8.3 failure detection', () => {
  /** A ring in which two homes of `NAME` do not hear each other any more, and a third one hears both. */
  function brokenLink() {
    const ring = new PaperRing({ nodes: 5 });
    const [a, b, c] = ring.homesOf(NAME) as [string, string, string];
    ring.isLost = isBetween(a, b);
    for (let i = 0; i < 10; i++) {
      for (const at of [a, b, c]) ring.put(at, NAME, `v${i}`);
      ring.run(suspectAfterMs / 5);
    }
    return { ring, a, b, c };
  }

  test('is a matter of each node: it takes for down who does not answer it, though others hear that one', () => {
    const { ring, a, b, c } = brokenLink();
    expect(ring.node(a).status().suspects).toEqual([b]);
    expect(ring.node(b).status().suspects).toEqual([a]);
    expect(ring.node(c).status().suspects).toEqual([]);
  });

  test('serves to spare requests to nodes that cannot be reached', () => {
    const { ring, a, b, c } = brokenLink();
    const act = (at: string) => () => {
      ring.put(at, NAME, 'x');
      ring.get(at, NAME);
    };
    expect(ring.during(act(a)).filter(({ from, to }) => from === a && to === b)).toEqual([]);
    expect(ring.during(act(c)).filter(({ from, to }) => from === c && to === b)).toHaveLength(2);
  });

  test('with requests going on, a node that falls silent is soon found out, and others are asked instead', () => {
    const ring = new PaperRing({ nodes: 5, writeQuorum: 3 });
    const [a, b, , substitute] = ring.preferenceListOf(NAME) as [string, string, string, string];
    expect(ring.put(a, NAME, 'x')).toEqual({ kind: 'applied', ms: 2 });
    ring.kill(b);
    expect(ring.put(a, NAME, 'y').ms).toBeGreaterThanOrEqual(phaseTimeoutMs);
    ring.run(suspectAfterMs);
    expect(ring.put(a, NAME, 'z')).toEqual({ kind: 'applied', ms: 2 });
    expect(ring.hintsAt(substitute)).toEqual([b]);
  });

  test('a node taken for down is tried again from time to time, and used again when it answers', () => {
    const { ring, a, b } = brokenLink();
    ring.startBackground();
    const sent = ring.during(() => ring.run(20 * probeIntervalMs));
    const probes = sent.filter(({ from, to, kind }) => from === a && to === b && kind === 'ping');
    expect(probes.length).toBeGreaterThanOrEqual(19);
    ring.isLost = () => false;
    ring.run(probeIntervalMs + 10);
    expect(ring.node(a).status().suspects).toEqual([]);
    const asked = ring.during(() => ring.put(a, NAME, 'x')).filter(({ isReply }) => !isReply);
    expect(asked.map(({ to, kind }) => `${to} ${kind}`)).toContain(`${b} learn`);
  });
});

describe('4.9 adding and removing nodes', () => {
  test('a new node is given the items of its key ranges, and those who need them no more give them up', () => {
    const ring = filledRing(5);
    const added = ring.add();
    expect(ring.setRoster(ring.ids)).toBe(true);
    ring.run(20_000);
    expect(NAMES.some((name) => ring.homesOf(name).includes(added))).toBe(true);
    expectAllAtHome(ring);
    for (const name of NAMES) expect(ring.get(added, name).text).toBe('x');
  });

  test('it is given them by many: the work of handing over is spread', () => {
    const ring = filledRing(5);
    const added = ring.add();
    const sent = ring.during(() => {
      expect(ring.setRoster(ring.ids)).toBe(true);
    });
    const givers = new Set(sent.filter(({ from, kind }) => from === added && kind === 'fetch').map(({ to }) => to));
    expect(givers.size).toBeGreaterThanOrEqual(3);
  });

  test('when a node is removed, the same goes on in reverse', () => {
    const ring = filledRing(6);
    const leaving = 'node-6';
    expect(NAMES.some((name) => ring.holdersOf(name).includes(leaving))).toBe(true);
    expect(ring.setRoster(ring.ids.filter((id) => id !== leaving))).toBe(true);
    ring.run(20_000);
    expect(partitionsAt(ring, leaving)).toEqual([]);
    expectAllAtHome(ring);
  });

  test('items stay readable and writable while they move', () => {
    const ring = filledRing(4);
    const added = ring.add();
    const outcomes: string[] = [];
    const texts: (string | undefined)[] = [];
    // A client comes along whenever a step of a transfer is answered.
    ring.delayMs = ({ kind, isReply }) => {
      const isStep = isReply && ['copied', 'sealed', 'staged', 'activated'].includes(kind);
      if (isStep) ring.clock.after(0, () => client(NAMES[outcomes.length % NAMES.length]!));
      return 1;
    };
    const client = (name: string) => {
      const text = `v${outcomes.length}`;
      outcomes.push('no answer');
      const i = outcomes.length - 1;
      ring.startPut('node-1', name, text, (kind) => {
        outcomes[i] = kind;
        ring.startGet('node-2', name, (found) => texts.push(found));
      });
    };
    expect(ring.setRoster(ring.ids)).toBe(true);
    ring.delayMs = () => 1;
    // What still arrives at a node that has given the range up is found by its next look.
    ring.run(DEFAULT_NODE_LIMITS.purgeIntervalMs + 20_000);
    expect(outcomes.length).toBeGreaterThan(NAMES.length);
    expect(new Set(outcomes)).toEqual(new Set(['applied']));
    expect(texts).toHaveLength(outcomes.length);
    expect(texts).not.toContain(undefined);
    expectAllAtHome(ring);
    const newest = new Map(outcomes.map((_, i) => [NAMES[i % NAMES.length]!, `v${i}`]));
    for (const [name, text] of newest) expect(ring.get(added, name).text).toBe(text);
  });

  test.each(['copied', 'staged'])('a range is not given up before its new holders have confirmed it: %s', (kind) => {
    const ring = filledRing(4);
    const before = [...ring.configs];
    const [stays, ...leave] = before[0]!.members.map(({ node }) => node);
    const added = [ring.add(), ring.add()];
    // The newcomers take what they are given, but nobody hears them say so. They would be a majority.
    ring.isLost = (sent) => sent.kind === kind && added.includes(sent.from);
    let outcome: string | undefined;
    ring.node(stays!).changeEpoch(ring.register, 0, ring.members([stays!, ...added]), (ended) => {
      outcome = ended.kind;
    });
    ring.run(300_000);
    expect(outcome).toBe('failed');
    expect(ring.configs[0]).toEqual(before[0]);
    const inRange = NAMES.filter((name) => ring.partitionOf(name) === 0);
    expect(inRange.length).toBeGreaterThan(0);
    for (const name of inRange) for (const node of leave) expect(ring.versionAt(node, name)).toBe('x');
  });

  test('what a node has been given already is not transferred to it again', () => {
    const ring = filledRing(4);
    const added = ring.add();
    const sent = ring.during(() => {
      expect(ring.setRoster(ring.ids)).toBe(true);
      ring.run(20_000);
    });
    const given = sent.flatMap(({ from, to, request, isReply }) => {
      if (isReply) return [];
      if (request.kind === 'fetch' && from === added) return request.keys;
      return request.kind === 'learn' && to === added ? [request.key] : [];
    });
    const moved = NAMES.filter((name) => ring.homesOf(name).includes(added)).map((name) => ring.keyOf(name));
    expect(given.toSorted()).toEqual(moved.sort());
  });
});
