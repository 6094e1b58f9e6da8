import { expect, test } from 'vitest';
import { RingError } from '../../src/dynamo/ring-error.ts';
import { RingView } from '../../src/dynamo/ring-view.ts';
import type { Outcome } from '../../src/env/peer-channel.ts';
import { Examiner } from '../../src/peer/examiner.ts';
import { configsOf } from '../../src/peer/founding.ts';
import { firstGoal, withMoved } from '../../src/peer/goal.ts';
import { peerNodeId } from '../../src/peer/node-name.ts';
import type { PeerAnswer } from '../../src/peer/peer-messages.ts';
import type { PeerState } from '../../src/peer/peer-state.ts';
import { ManualClock } from '../parts/manual-clock.ts';

const NAMES = ['a', 'b', 'c', 'd'];
const CLUSTER = {
  clusterId: 'x',
  partitions: 4,
  replication: 3,
  layout: 1,
  members: NAMES.map((name, i) => ({ name, diskId: i + 1 })),
};
const [A, B, C, D] = NAMES.map((name, i) => peerNodeId(name, i + 1)) as [string, string, string, string];

const STATE: PeerState = {
  votes: [0, 0, 0, 0],
  isPaused: false,
  hints: 1,
  suspects: [B],
  moving: undefined,
  stuck: [],
  clockMs: 100_000_000,
};
const told = (state: Partial<PeerState> = {}): Outcome<PeerAnswer> => ({
  kind: 'answered',
  answer: { kind: 'state', state: { ...STATE, ...state } },
});

/** A front that asks four nodes. @param outcomes what comes of asking each; undefined: nothing ever */
function world(outcomes: Record<string, Outcome<PeerAnswer> | undefined>, goal = firstGoal(CLUSTER)) {
  const clock = new ManualClock();
  const asked: string[] = [];
  const level = { level: 1, possible: 1, because: 'so it is' };
  const membership = {
    readGoal: async () => goal,
    levelOf: () => level,
    nodes: [A, B, C, D],
    progress: { moved: 0, left: 0, longestPauseMs: 0, lastFailure: undefined, moving: undefined, stuck: [] },
    waiting: [] as string[],
  };
  const examiner = new Examiner({
    view: new RingView(configsOf(CLUSTER)),
    own: undefined,
    membership,
    transport: { isUp: (peer) => peer in outcomes },
    port: {
      ask: (to, _request, done) => {
        asked.push(to);
        const outcome = outcomes[to];
        if (outcome !== undefined) queueMicrotask(() => done(outcome));
        return { cancel: () => {} };
      },
    },
    releaseOf: (node) => (node === A ? { build: '1.0', protocolMin: 1, protocolMax: 2 } : undefined),
    clock,
  });
  return { examiner, clock, asked, membership };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('each node says how it is; those who ask at a time get one examination', async () => {
  const { examiner, asked } = world({ [A]: told(), [B]: told({ isPaused: true }), [C]: told(), [D]: told() });
  const [one, other] = await Promise.all([examiner.examine(), examiner.examine()]);
  expect(other).toBe(one);
  expect(asked.sort()).toEqual([A, B, C, D]);
  expect(one.nodes.find(({ id }) => id === A)).toEqual({
    id: A,
    state: 'up',
    votes: [0, 0, 0, 0],
    hints: 1,
    suspects: [B],
    release: { build: '1.0', protocolMin: 1, protocolMax: 2 },
  });
  expect(one.level).toMatchObject({ level: 1 });
  expect(one.nodes.find(({ id }) => id === B)).toMatchObject({ state: 'paused' });
  expect(one).toMatchObject({ moves: [], unknownGoal: undefined, notes: [] });
  await examiner.examine();
  expect(asked.length).toBe(8);
});

test('who is not connected, says nothing in time, or has no node yet, has no votes', async () => {
  const { examiner, clock } = world({ [A]: told(), [B]: undefined, [C]: told({ votes: undefined }) });
  const examined = examiner.examine();
  await turn();
  clock.advance(2_000);
  const { nodes } = await examined;
  expect(new Map(nodes.map(({ id, state, votes }) => [id, votes === undefined && state]))).toEqual(
    new Map<string, unknown>([
      [A, false],
      [B, 'silent'],
      [C, 'silent'],
      [D, 'stopped'],
    ]),
  );
});

test('a release that does not know the question is told of, and taken at its word that it is up', async () => {
  const older = { kind: 'not-sent', reason: 'unsupported' } as const;
  const { examiner } = world({ [A]: told(), [B]: older, [C]: told(), [D]: told() });
  const { nodes, notes } = await examiner.examine();
  expect(nodes.find(({ id }) => id === B)).toMatchObject({ state: 'up', votes: undefined });
  expect(notes).toEqual(['b runs a release that does not tell what it votes in']);
});

test('what is to be moved is known from the goal, and from those who move it', async () => {
  const goal = withMoved(firstGoal(CLUSTER), 2, NAMES.slice(1));
  const stuck = [{ partition: 2, reason: 'they have not copied' }];
  const { examiner } = world({ [A]: told({ moving: 2 }), [B]: told({ stuck }), [C]: told(), [D]: told() }, goal);
  const { moves } = await examiner.examine();
  expect(moves).toEqual([{ partition: 2, to: [B, C, D], by: A, problem: 'they have not copied' }]);
});

test('a goal that cannot be read in time, or at all, is not known', async () => {
  const late = world({ [A]: told() });
  late.membership.readGoal = () => new Promise(() => {});
  const examined = late.examiner.examine();
  await turn();
  late.clock.advance(2_000);
  expect((await examined).unknownGoal).toBe('the goal of the cluster could not be read in time');
  const lost = world({ [A]: told() });
  lost.membership.readGoal = () => Promise.reject(new RingError('no replica has answered'));
  expect(await lost.examiner.examine()).toMatchObject({ unknownGoal: 'no replica has answered', moves: [] });
});

test('disks that wait for an operator, and clocks that are off, are told of', async () => {
  const { examiner, membership } = world({
    [A]: told(),
    [B]: told({ clockMs: STATE.clockMs - 45_000 }),
    [C]: told(),
    [D]: told(),
  });
  membership.waiting.push('c');
  expect((await examiner.examine()).notes).toEqual([
    'a process waits to be c on an empty disk: admin replace c',
    'the clock of b is 45 s behind that of this process',
  ]);
});
