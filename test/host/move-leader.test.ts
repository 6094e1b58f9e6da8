import { beforeEach, expect, test } from 'vitest';
import type { EpochChangeOutcome } from '../../src/dynamo/epochs/epoch-change.ts';
import type { Member, PartitionConfig } from '../../src/dynamo/messages.ts';
import { RingView } from '../../src/dynamo/ring-view.ts';
import type { LmdbStore } from '../../src/env/lmdb-store.ts';
import { LocalNodes } from '../../src/host/local-nodes.ts';
import { MoveLeader } from '../../src/host/move-leader.ts';
import type { Peer } from '../../src/peer/peer.ts';

const REGISTER = { read: () => {}, begin: () => {}, decide: () => {} };
const member = (node: string): Member => ({ node, diskId: Number(node.slice(-1)) });

/** What a MoveLeader sees of a node. */
class FakePeer {
  isPaused = false;
  sealed: readonly number[] = [];
  votesIn: PartitionConfig | undefined;
  /** The move that it leads. */
  finish: ((outcome: EpochChangeOutcome) => void) | undefined;
  readonly node = {
    changeEpoch: (...[, , , done]: Parameters<Peer['node']['changeEpoch']>) => {
      this.finish = done;
    },
    status: () => ({ sealed: this.sealed }),
    isSealed: (partition: number) => this.sealed.includes(partition),
    votingConfig: () => this.votesIn,
  };

  constructor(readonly id: string) {}
}

let view: RingView;
let peers: Record<string, FakePeer>;
let leader: MoveLeader;
let outcomes: EpochChangeOutcome[];

beforeEach(() => {
  const nodes = new LocalNodes();
  peers = {};
  for (const id of ['node-1', 'node-2', 'node-3', 'node-4']) {
    const peer = new FakePeer(id);
    peers[id] = peer;
    nodes.add(id, 1).running = { peer: peer as unknown as Peer, store: {} as LmdbStore };
  }
  view = new RingView([{ partition: 0, epoch: 0, attempt: 0, members: ['node-2', 'node-3'].map(member) }]);
  leader = new MoveLeader(nodes, view, REGISTER);
  outcomes = [];
});

const MOVE = { partition: 0, members: ['node-3', 'node-4'].map(member) };
const lead = () => leader.lead(MOVE, (outcome) => outcomes.push(outcome));
const leaders = () => Object.values(peers).flatMap(({ id, finish }) => (finish === undefined ? [] : [id]));

test('a present member leads a move; if none is up a future one, else anybody', () => {
  lead();
  expect(leaders()).toEqual(['node-2']);
  const [pausedInTurn, leadInTurn] = [
    ['node-2', 'node-3', 'node-4'],
    ['node-3', 'node-4', 'node-1'],
  ];
  for (const [i, paused] of pausedInTurn!.entries()) {
    leader.giveUp(leaders()[0]!);
    for (const peer of Object.values(peers)) peer.finish = undefined;
    peers[paused]!.isPaused = true;
    lead();
    expect(leaders()).toEqual([leadInTurn![i]]);
  }
});

test('a move fails at once when nobody is up, and when its leader goes away; what that says later counts no more', () => {
  lead();
  leader.giveUp('node-1');
  expect(outcomes).toEqual([]);
  leader.giveUp('node-2');
  expect(outcomes).toEqual([{ kind: 'failed', reason: 'node-2, which led it, is gone' }]);
  peers['node-2']!.finish!({ kind: 'failed', reason: 'late' });
  expect(outcomes).toHaveLength(1);
  for (const peer of Object.values(peers)) peer.isPaused = true;
  lead();
  expect(outcomes[1]).toEqual({ kind: 'failed', reason: 'no node is up' });
});

test('the view has the config that a move ended with', () => {
  lead();
  const config = { partition: 0, epoch: 1, attempt: 1, members: MOVE.members };
  peers['node-2']!.finish!({ kind: 'superseded', config });
  expect(view.newestConfig(0)).toEqual(config);
  expect(outcomes).toEqual([{ kind: 'superseded', config }]);
});

test('a partition counts as sealed only where that is its newest epoch', () => {
  const peer = peers['node-3']!;
  peer.sealed = [0];
  peer.votesIn = view.newestConfig(0);
  expect(leader.sealedPartitions()).toEqual([0]);
  view.learnConfig({ ...view.newestConfig(0), epoch: 1 });
  expect(leader.sealedPartitions()).toEqual([]);
});
