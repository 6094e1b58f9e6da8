import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EpochChangeOutcome } from '../../src/dynamo/epochs/epoch-change.ts';
import { type Move, planMoves, Rebalancer, withNode, withoutNode } from '../../src/dynamo/epochs/rebalancer.ts';
import type { Member, PartitionConfig } from '../../src/dynamo/messages.ts';
import { assignPartitions } from '../../src/dynamo/ring.ts';
import { RingError } from '../../src/dynamo/ring-error.ts';
import { silentLog } from '../../src/env/log.ts';
import { ManualClock } from '../parts/manual-clock.ts';

const member = (n: number, diskId = n): Member => ({ node: `node-${n}`, diskId });

function found(partitions: number, roster: readonly Member[], replication: number): PartitionConfig[] {
  const byNode = new Map(roster.map((each) => [each.node, each]));
  return assignPartitions(partitions, [...byNode.keys()], replication).map((list, partition) => ({
    partition,
    epoch: 0,
    members: list.map((node) => byNode.get(node)!),
    attempt: 0,
  }));
}

function apply(configs: readonly PartitionConfig[], moves: ReturnType<typeof planMoves>): PartitionConfig[] {
  return configs.map((config) => {
    const move = moves.find(({ partition }) => partition === config.partition);
    return move === undefined ? config : { ...config, epoch: config.epoch + 1, members: move.members };
  });
}

const ROSTER = [1, 2, 3, 4].map((n) => member(n));

describe('a plan of moves', () => {
  test('keeps N distinct members and even loads through any joins and leaves, and then has nothing to do', () => {
    const changes = fc.array(fc.nat(9), { maxLength: 6 });
    fc.assert(
      fc.property(fc.integer({ min: 12, max: 24 }), fc.integer({ min: 1, max: 3 }), changes, (partitions, n, steps) => {
        let roster: Member[] = ROSTER;
        let configs = found(partitions, roster, n);
        for (const step of steps) {
          const isThere = roster.some(({ node }) => node === member(step).node);
          if (!isThere) roster = withNode(roster, member(step));
          else if (roster.length > n) roster = withoutNode(roster, member(step).node, n);
          configs = apply(configs, planMoves(configs, roster, n));
          const loads = roster.map(
            ({ node }) => configs.filter(({ members }) => members.some((m) => m.node === node)).length,
          );
          expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
          for (const { members } of configs) expect(new Set(members.map(({ node }) => node)).size).toBe(n);
          expect(planMoves(configs, roster, n)).toEqual([]);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('moves to a newcomer no more than its share', () => {
    const configs = found(64, ROSTER, 3);
    const moves = planMoves(configs, withNode(ROSTER, member(5)), 3);
    expect(moves.length).toBeLessThanOrEqual(Math.ceil((64 * 3) / 5));
    for (const { partition, members } of moves) {
      const before = configs[partition]!.members;
      expect(members.filter(({ node }) => !before.some((old) => old.node === node))).toEqual([member(5)]);
    }
  });

  test('takes a replaced disk for a change in place', () => {
    const configs = found(8, ROSTER, 3);
    const roster = ROSTER.map((each) => (each.node === 'node-2' ? member(2, 99) : each));
    const moves = planMoves(configs, roster, 3);
    expect(moves.map(({ partition }) => partition)).toEqual(
      configs.filter(({ members }) => members.some(({ node }) => node === 'node-2')).map(({ partition }) => partition),
    );
    for (const { members } of moves) expect(members).toContainEqual(member(2, 99));
  });
});

describe('the leading places', () => {
  test('stay even within a third while nodes come and go, although partitions that stay keep theirs', () => {
    let roster: Member[] = ROSTER;
    let configs = found(256, roster, 3);
    const follow = () => {
      configs = apply(configs, planMoves(configs, roster, 3));
      const leads = roster.map(({ node }) => configs.filter(({ members }) => members[0]!.node === node).length);
      const share = 256 / roster.length;
      expect(Math.min(...leads)).toBeGreaterThan((share * 2) / 3);
      expect(Math.max(...leads)).toBeLessThan((share * 4) / 3);
    };
    for (let n = 5; n <= 16; n++) {
      roster = withNode(roster, member(n));
      follow();
    }
    for (let n = 1; n <= 10; n++) {
      roster = withoutNode(roster, member(n).node, 3);
      follow();
    }
  });
});

/** A Rebalancer, and a door that answers when the test says so. */
function running(configs: PartitionConfig[], roster: readonly Member[]) {
  const clock = new ManualClock();
  const state = { configs, roster, sealed: [] as number[] };
  const asked: { readonly move: Move; readonly done: (outcome: EpochChangeOutcome) => void }[] = [];
  const told: number[] = [];
  const membership = new Rebalancer({
    configs: () => state.configs,
    replication: 3,
    clock,
    log: silentLog,
    retryMs: 500,
    roster: () => state.roster,
    sealed: () => state.sealed,
    publish: (all) => told.push(all.length),
    changeEpoch: (move, done) => asked.push({ move, done }),
  });
  /** Answers the move that is under way. */
  const answer = (kind: 'changed' | 'failed') => {
    const { move, done } = asked.shift()!;
    const before = state.configs[move.partition]!;
    if (kind === 'failed') return done({ kind, reason: 'nobody is up' });
    const config = { ...before, epoch: before.epoch + 1, members: move.members };
    state.configs = state.configs.with(move.partition, config);
    state.sealed = state.sealed.filter((partition) => partition !== move.partition);
    done({ kind, config, pausedMs: 10 + move.partition });
  };
  let settled = 0;
  const settle = () => membership.rebalance(() => settled++);
  return { membership, clock, state, asked, told, answer, settle, settled: () => settled };
}

describe('moves', () => {
  const configs = () => found(8, ROSTER, 3);
  const wanted = withNode(ROSTER, member(5));

  test('are made one after the other until the configs are as the roster wants them', () => {
    const { membership, state, asked, answer, settle, settled } = running(configs(), wanted);
    settle();
    const planned = membership.progress.left;
    for (let moved = 0; moved < planned; moved++) {
      expect(asked).toHaveLength(1);
      expect(membership.progress).toMatchObject({ moved, left: planned - moved });
      expect(settled()).toBe(0);
      answer('changed');
    }
    expect(asked).toHaveLength(0);
    expect(settled()).toBe(1);
    expect(planMoves(state.configs, wanted, 3)).toEqual([]);
    expect(membership.progress).toMatchObject({ left: 0, lastFailure: undefined });
    expect(membership.progress.longestPauseMs).toBeGreaterThanOrEqual(10);
  });

  test('that fail do not hold up the others, and are tried again after a pause', () => {
    const { membership, clock, asked, answer, settle, settled } = running(configs(), wanted);
    settle();
    const failed = asked[0]!.move.partition;
    const planned = membership.progress.left;
    answer('failed');
    for (let moved = 1; moved < planned; moved++) answer('changed');
    expect(asked).toHaveLength(0);
    expect(membership.progress).toMatchObject({ left: 1, lastFailure: 'nobody is up' });
    clock.advance(499);
    expect(asked).toHaveLength(0);
    clock.advance(1);
    expect(asked.map(({ move }) => move.partition)).toEqual([failed]);
    answer('changed');
    expect(settled()).toBe(1);
  });

  test('are planned anew when the roster changes meanwhile', () => {
    const { state, asked, answer, settle, settled } = running(configs(), wanted);
    settle();
    state.roster = ROSTER;
    settle();
    const first = asked[0]!.move.partition;
    answer('changed');
    // Only what has moved by then moves back.
    expect(asked.map(({ move }) => move.partition)).toEqual([first]);
    answer('changed');
    expect(asked).toHaveLength(0);
    expect(settled()).toBe(2);
  });

  test('go on after a restart with what is left', () => {
    const before = running(configs(), wanted);
    before.settle();
    const planned = before.membership.progress.left;
    before.answer('changed');
    before.answer('changed');
    before.membership.stop();
    const after = running(before.state.configs, wanted);
    expect(after.membership.progress.left).toBe(planned - 2);
  });

  test('free a partition that was left sealed before it gets other members', () => {
    const { state, asked, answer, settle } = running(configs(), wanted);
    const { partition } = planMoves(state.configs, wanted, 3)[0]!;
    state.sealed = [partition];
    settle();
    expect(asked[0]!.move).toEqual({ partition, members: state.configs[partition]!.members });
    const epochs = () => state.configs[partition]!.epoch;
    while (asked.length > 0) answer('changed');
    expect(epochs()).toBe(2);
    expect(planMoves(state.configs, wanted, 3)).toEqual([]);
  });

  test('end with their process, and leave no timer', () => {
    const { membership, clock, asked, answer, settle, settled } = running(configs(), wanted);
    membership.watch(1_000);
    settle();
    membership.stop();
    answer('failed');
    clock.advance(10_000);
    expect([asked.length, settled(), clock.timers]).toEqual([0, 0, 0]);
  });

  test('of a partition that somebody left sealed begin by themselves, and all are told what is decided', () => {
    const { membership, clock, state, asked, told } = running(configs(), ROSTER);
    membership.watch(1_000);
    clock.advance(1_000);
    expect([asked.length, told]).toEqual([0, [8]]);
    state.sealed = [3];
    clock.advance(1_000);
    expect(asked.map(({ move }) => move)).toEqual([{ partition: 3, members: state.configs[3]!.members }]);
    membership.stop();
  });
});

describe('a roster', () => {
  test('takes no node twice, loses none that is not there, and keeps N', () => {
    expect(() => withNode(ROSTER, member(2))).toThrow(new RingError('node-2 is in the ring already'));
    expect(() => withoutNode(ROSTER, 'node-9', 3)).toThrow(new RingError('there is no node-9 in the ring'));
    expect(() => withoutNode(ROSTER.slice(1), 'node-2', 3)).toThrow(RingError);
  });
});
