/*
 * The Dynamo paper (SOSP 2007), section 4.7, claim by claim.
 *
 * | of the paper                                | here                                                                  |
 * | ------------------------------------------- | --------------------------------------------------------------------- |
 * | a leaf is the hash of the value of one key  | of all records in a slice of the ring, so that the shape is fixed      |
 * | the tree of a key range, between two tokens | of a partition                                                         |
 * | a join changes key ranges, and so the trees | not here: partitions are fixed (strategy 3 of its section 6.2)         |
 */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { FANOUT, HASH_BYTES, MerkleTree } from '../../src/dynamo/healing/merkle-tree.ts';
import { leafOf, partitionOf } from '../../src/dynamo/keyspace.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import { NAMES, PaperRing } from './paper-ring.ts';

const DEPTH = 2;
const LEAVES = FANOUT ** DEPTH;

function filledRing() {
  const ring = new PaperRing({ nodes: 5, writeQuorum: 3, limits: { merkleDepth: DEPTH } });
  for (const name of NAMES) ring.put('node-1', name, 'x');
  ring.run(10);
  return ring;
}

/** Writes that the last home of each item misses. */
function change(ring: PaperRing, names: readonly string[]) {
  const behind = new Map(names.map((name) => [ring.keyOf(name), ring.homesOf(name)[2]!]));
  ring.isLost = ({ to, request }) => request.kind === 'learn' && behind.get(request.key) === to;
  for (const name of names) ring.put(ring.homesOf(name)[0]!, name, 'changed');
  ring.isLost = () => false;
  ring.run(DEFAULT_NODE_LIMITS.opLifeMs);
}

const requestsOf = (sent: PaperRing['sent']) => sent.filter(({ isReply }) => !isReply).map(({ request }) => request);

describe('4.7 Merkle trees', () => {
  test('a hint that is lost before it was delivered is made up for by the comparison of replicas', () => {
    const name = NAMES[0]!;
    const ring = new PaperRing({ nodes: 6 });
    const [coordinator, down, , substitute] = ring.preferenceListOf(name);
    ring.kill(down!);
    ring.put(coordinator!, name, 'before');
    ring.run(DEFAULT_NODE_LIMITS.suspectAfterMs);
    ring.put(coordinator!, name, 'x');
    ring.run(10);
    expect(ring.hintsAt(substitute!)).toEqual([down]);
    ring.kill(substitute!);
    ring.start(down!);
    ring.run(5_000);
    expect(ring.versionAt(down!, name)).toBeUndefined();
    ring.repair(down!);
    expect(ring.versionAt(down!, name)).toBe('x');
  });

  test('a leaf changes with the value of any of its keys, and no other leaf does', () => {
    const ring = filledRing();
    const name = NAMES[0]!;
    const home = ring.homesOf(name)[0]!;
    const partition = partitionOf(ring.keyOf(name));
    const indexes = Array.from({ length: LEAVES }, (_, i) => i);
    const leaves = () => {
      ring.rootOf(home, partition);
      let hashes = Buffer.alloc(0);
      ring
        .node(home)
        .receive('node-1', { kind: 'merkle-hashes', epoch: 0, partition, level: DEPTH, indexes }, (reply) => {
          if (reply.kind === 'merkle-hashes') hashes = Buffer.from(reply.hashes);
        });
      return indexes.map((i) => hashes.toString('hex', i * HASH_BYTES, (i + 1) * HASH_BYTES));
    };
    const before = leaves();
    ring.put(home, name, 'y');
    const after = leaves();
    expect(indexes.filter((i) => before[i] !== after[i])).toEqual([leafOf(ring.keyOf(name), ring.partitions, LEAVES)]);
  });

  test('a node higher up is the hash of its children', () => {
    const cut = (hash: Buffer) => hash.subarray(0, HASH_BYTES);
    const tree = new MerkleTree(2);
    for (let leaf = 0; leaf < tree.leafCount; leaf++) {
      tree.setLeaf(leaf, cut(createHash('sha256').update(`leaf ${leaf}`).digest()));
    }
    for (const [level, index] of [
      [0, 0],
      [1, 0],
      [1, 3],
    ] as const) {
      const children = [0, 1, 2, 3].map((child) => Buffer.from(tree.hashOf(level + 1, index * FANOUT + child)));
      const expected = cut(createHash('sha256').update(Buffer.concat(children)).digest());
      expect(Buffer.from(tree.hashOf(level, index)).toString('hex')).toBe(expected.toString('hex'));
    }
  });

  test('if the roots are equal nothing else is exchanged', () => {
    const ring = filledRing();
    const asked = requestsOf(ring.during(() => ring.repair('node-1')));
    expect(asked.length).toBeGreaterThan(0);
    for (const request of asked) expect(request).toMatchObject({ kind: 'merkle-hashes', level: 0, indexes: [0] });
  });

  test('if they differ the children are compared, down to the leaves, and each branch by itself', () => {
    const ring = filledRing();
    const name = NAMES[3]!;
    change(ring, [name]);
    const [ahead, , behind] = ring.homesOf(name) as [string, string, string];
    const partition = partitionOf(ring.keyOf(name));
    const sent = ring.during(() => ring.repair(behind));
    const asked = requestsOf(sent.filter(({ to }) => to === ahead)).filter(
      (request) => 'partition' in request && request.partition === partition,
    );
    const leaf = leafOf(ring.keyOf(name), ring.partitions, LEAVES);
    const childrenOf = (index: number) => [0, 1, 2, 3].map((child) => index * FANOUT + child);
    expect(asked).toMatchObject([
      { kind: 'merkle-hashes', level: 0, indexes: [0] },
      { kind: 'merkle-hashes', level: 1, indexes: childrenOf(0) },
      { kind: 'merkle-hashes', level: 2, indexes: childrenOf(Math.floor(leaf / FANOUT)) },
      { kind: 'merkle-keys', leaf },
    ]);
    expect(ring.versionAt(behind, name)).toBe('changed');
  });

  test('only items that are out of date are transferred', () => {
    const ring = filledRing();
    const changed = NAMES.slice(0, 5);
    change(ring, changed);
    const sent = ring.during(() => {
      for (const id of ring.ids) ring.repair(id);
    });
    const carried = requestsOf(sent).flatMap((request) => {
      if (request.kind === 'fetch') return request.keys;
      return request.kind === 'learn' ? [request.key] : [];
    });
    expect(carried.toSorted()).toEqual(changed.map((name) => ring.keyOf(name)).sort());
    for (const name of changed) {
      for (const home of ring.homesOf(name)) expect(ring.versionAt(home, name)).toBe('changed');
    }
  });

  test('there is a tree for each key range: a write changes that of its own and no other', () => {
    const ring = filledRing();
    const name = NAMES[0]!;
    const home = ring.homesOf(name)[0]!;
    const hosted = ring.configs.filter(({ members }) => members.some(({ node }) => node === home));
    const roots = () => hosted.map(({ partition }) => ring.rootOf(home, partition));
    const before = roots();
    ring.put(home, name, 'y');
    const after = roots();
    expect(hosted.length).toBeGreaterThan(1);
    const changed = hosted.filter((_, i) => before[i] !== after[i]).map(({ partition }) => partition);
    expect(changed).toEqual([partitionOf(ring.keyOf(name))]);
  });

  test('two nodes compare the key ranges that they host in common, and no others', () => {
    const ring = filledRing();
    const compared = new Set<string>();
    for (const { to, request, isReply } of ring.during(() => ring.repair('node-1'))) {
      if (request.kind === 'merkle-hashes' && !isReply) compared.add(`${to} ${request.partition}`);
    }
    const common = ring.configs.flatMap(({ partition, members }) => {
      const nodes = members.map(({ node }) => node);
      if (!nodes.includes('node-1')) return [];
      return nodes.filter((node) => node !== 'node-1').map((node) => `${node} ${partition}`);
    });
    expect([...compared].sort()).toEqual(common.sort());
  });

  test('a join leaves all trees as they were, those of partitions that moved too', () => {
    const ring = filledRing();
    const before = ring.configs.map(({ partition, members }) => ring.rootOf(members[0]!.node, partition));
    ring.startBackground();
    const added = ring.add();
    expect(ring.setRoster(ring.ids)).toBe(true);
    ring.run(20_000);
    expect(ring.configs.some(({ members }) => members.some(({ node }) => node === added))).toBe(true);
    for (const { partition, members } of ring.configs) {
      for (const { node } of members) expect(ring.rootOf(node, partition)).toBe(before[partition]);
    }
  });
});
