import { describe, expect, test } from 'vitest';
import { silentLog } from '../../src/env/log.ts';
import { SeededRandom } from '../../src/env/random.ts';
import { Mover, type MoverParts, type WantedMembers } from '../../src/peer/mover.ts';
import { EpochRing, keyOf, recordOf } from '../dynamo/epoch-ring.ts';
import type { Sent } from '../parts/memory-node.ts';

const LIMITS = { lookMs: 100, goalReadMs: 2_000, turnMs: 1_000, sealedMs: 500, mostSealedMs: 20_000 };
const touches = ({ from, to }: Sent, ids: string) => ids.includes(from) || ids.includes(to);

/** A ring in which every node has a mover. */
class MovedRing extends EpochRing {
  readonly movers = new Map<string, Mover>();
  /** What a strong read of the goal finds. */
  goal: WantedMembers = this.goalOf('ABC', 1);
  /** What a node has heard of it. */
  readonly heard = new Map<string, WantedMembers>();
  reads = 0;
  isGoalReadable = true;

  goalOf(members: string, version: number): WantedMembers {
    return { version, membersOf: () => this.members(members) };
  }

  want(members: string): void {
    this.goal = this.goalOf(members, this.goal.version + 1);
  }

  move(ids: string, parts: Partial<MoverParts> = {}): void {
    for (const id of ids) {
      const mover = new Mover({
        node: this.node(id),
        clock: this.clock,
        random: new SeededRandom(id.charCodeAt(0)),
        log: silentLog,
        limits: LIMITS,
        goal: () => this.heard.get(id),
        readGoal: (done) => {
          this.reads++;
          done(this.isGoalReadable ? this.goal : undefined);
        },
        ...parts,
      });
      this.movers.set(id, mover);
      mover.start();
    }
  }

  /** As `settle`, but answers to a stage come only after so long. */
  settleSlowly(forMs: number, stageMs: number): void {
    this.isHeld = ({ kind }) => kind === 'staged';
    for (let passed = 0; passed < forMs; passed += 5) {
      this.settle(5);
      const held = this.takeHeld();
      if (held.length > 0) this.clock.after(stageMs, () => this.post(held));
    }
    this.isHeld = () => false;
  }

  get present(): string {
    const newest = [...this.movers.keys()].map((id) => this.node(id).view.newestConfig(0));
    return newest
      .reduce((one, other) => (other.epoch > one.epoch ? other : one))
      .members.map(({ node }) => node)
      .join('');
  }

  stop(): void {
    for (const mover of this.movers.values()) mover.stop();
  }
}

describe('movers', () => {
  test('bring a partition to the members that the goal wants, whichever of them lives', () => {
    for (const movers of ['A', 'C', 'F', 'ABCDEF']) {
      const ring = new MovedRing('ABCDEF', 3);
      ring.accept('BC', 'y', recordOf('y', 100_000_000 * 1024));
      ring.want('DEF');
      ring.move(movers);
      ring.settle(12_000);
      ring.stop();
      expect(ring.present).toBe('DEF');
      ring.isLost = (sent) => touches(sent, 'ABC');
      expect(ring.read('D', 'y')).toBe('y');
    }
  });

  test('move nothing if the order alone is another', () => {
    const ring = new MovedRing('ABCD', 3);
    ring.want('CBA');
    ring.move('ABCD');
    ring.settle(10_000);
    ring.stop();
    expect(ring.node('A').view.newestConfig(0).epoch).toBe(0);
    expect([...ring.movers.values()].map(({ progress }) => progress.left)).toEqual([0, 0, 0, 0]);
  });

  test('find out by themselves that the goal has changed, since nobody may live to tell them', () => {
    const ring = new MovedRing('ABCD', 3);
    ring.move('ABCD');
    ring.settle(1_000);
    ring.want('ABD');
    ring.settle(8_000);
    ring.stop();
    expect(ring.present).toBe('ABD');
  });

  test('read the goal before they move anything, for what they have heard of may be old', () => {
    const ring = new MovedRing('ABCDE', 3);
    for (const id of 'ABCDE') ring.heard.set(id, ring.goalOf('ABD', 1));
    ring.want('ABE');
    ring.move('ABCDE');
    ring.settle(10_000);
    ring.stop();
    expect(ring.present).toBe('ABE');
    expect(ring.node('A').view.newestConfig(0).epoch).toBe(1);
  });

  test('move nothing while the goal cannot be read, and ask ever less often', () => {
    const ring = new MovedRing('ABCD', 3);
    ring.heard.set('A', ring.goalOf('ABD', 1));
    ring.isGoalReadable = false;
    ring.move('A');
    ring.settle(10_000);
    expect(ring.node('A').view.newestConfig(0).epoch).toBe(0);
    expect(ring.reads).toBeGreaterThan(2);
    expect(ring.reads).toBeLessThan(15);
    ring.isGoalReadable = true;
    ring.want('ABD');
    ring.settle(10_000);
    ring.stop();
    expect(ring.present).toBe('ABD');
  });

  test('take turns: the first member that seems up leads, the others only if it does not', () => {
    const ring = new MovedRing('ABCD', 3);
    ring.want('ABD');
    for (const id of 'ABCD') ring.heard.set(id, ring.goal);
    ring.move('ABCD');
    ring.settle(900);
    ring.stop();
    expect(ring.present).toBe('ABD');
    expect([...ring.movers.values()].map(({ progress }) => progress.moved)).toEqual([1, 0, 0, 0]);
  });

  test('reopen a partition whose controller has died, goal or not, with the members that it has', () => {
    const ring = new MovedRing('ABCDE', 3);
    ring.isGoalReadable = false;
    // E seals and dies.
    ring.isLost = (sent) => sent.kind === 'stage';
    ring.node('E').changeEpoch(ring.node('E').configRegister(), 0, ring.members('ABC'), () => {});
    ring.settle(300);
    ring.kill('E');
    ring.isLost = () => false;
    expect([...'ABC'].filter((id) => ring.node(id).isSealed(0)).length).toBeGreaterThan(1);
    ring.move('ABCD');
    ring.settle(8_000);
    ring.stop();
    expect(ring.present).toBe('ABC');
    expect([...'ABC'].map((id) => ring.node(id).isSealed(0))).toEqual([false, false, false]);
    ring.commit('ABC', 'x', recordOf('x', 100_000_000 * 1024));
    expect(ring.node('A').stateOf(keyOf('x')).committed).toBeDefined();
  });

  test('leave each other ever more time, so that a partition is moved and opened however slowly it is staged', () => {
    // From less than a partition may be sealed at first to sixteen times as much.
    for (const stageMs of [400, 800, 1_500, 3_000, 8_000]) {
      for (const want of ['ABC', 'ABD']) {
        const ring = new MovedRing('ABCDE', 3);
        if (want === 'ABC') for (const id of want) ring.ask(id, { kind: 'seal', partition: 0, epoch: 0 });
        else ring.want(want);
        ring.move('ABCDE');
        ring.settleSlowly(20_000 + 3 * stageMs, stageMs);
        ring.stop();
        expect(ring.present, `${stageMs} ms`).toBe(want);
        expect([...want].map((id) => ring.node(id).isSealed(0))).toEqual([false, false, false]);
      }
    }
  });

  test('begin at once when a member is back without which the last attempt had failed', () => {
    const ring = new MovedRing('ABC', 3);
    for (const id of 'ABC') ring.ask(id, { kind: 'seal', partition: 0, epoch: 0 });
    ring.settle(5);
    let isUp = false;
    let led = 0;
    const node = ring.node('A');
    ring.move('A', {
      node: {
        id: 'A',
        view: node.view,
        seemsUp: () => isUp,
        isSealed: (partition) => node.isSealed(partition),
        votingConfig: (partition) => node.votingConfig(partition),
        begunAttempt: () => led,
        configRegister: () => node.configRegister(),
        changeEpoch: (_register, _partition, _members, done) =>
          done({ kind: 'failed', reason: 'too few', attempt: ++led }),
      },
      random: { next: () => 0.99 } as MoverParts['random'],
    });
    ring.settle(60_000);
    const before = led;
    expect(before).toBeLessThan(20);
    isUp = true;
    ring.settle(200);
    ring.stop();
    expect(led).toBeGreaterThan(before);
  });

  test('say what keeps them from moving', () => {
    const ring = new MovedRing('ABCD', 3);
    ring.want('ABD');
    ring.heard.set('A', ring.goal);
    ring.move('A');
    ring.isLost = ({ kind }) => kind === 'copied';
    ring.settle(60_000);
    ring.stop();
    expect(ring.movers.get('A')!.progress).toMatchObject({ left: 1, moved: 0 });
    expect(ring.movers.get('A')!.progress.lastFailure).toContain('have not copied');
    expect(ring.movers.get('A')!.progress.stuck).toEqual([
      { partition: 0, reason: expect.stringContaining('have not copied') },
    ]);
  });

  test('say so while a newcomer is down, and no more once it was possible, or is not wanted', () => {
    for (const end of [() => {}, (ring: MovedRing) => ring.want('ABC')]) {
      const ring = new MovedRing('ABCD', 3);
      ring.want('ABD');
      ring.heard.set('A', ring.goal);
      const node = ring.node('A');
      let isUp = false;
      ring.move('A', {
        node: {
          id: node.id,
          view: node.view,
          seemsUp: (id) => id !== 'D' || isUp,
          isSealed: (partition) => node.isSealed(partition),
          votingConfig: (partition) => node.votingConfig(partition),
          begunAttempt: (partition, epoch) => node.begunAttempt(partition, epoch),
          changeEpoch: (...change) => node.changeEpoch(...change),
          configRegister: () => node.configRegister(),
        },
      });
      ring.settle(10_000);
      expect(ring.movers.get('A')!.progress).toMatchObject({
        moved: 0,
        stuck: [{ partition: 0, reason: 'D cannot be reached' }],
      });
      isUp = true;
      end(ring);
      ring.settle(10_000);
      ring.stop();
      expect(ring.movers.get('A')!.progress.stuck).toEqual([]);
    }
  });

  test('do nothing once they are stopped', () => {
    const ring = new MovedRing('ABCD', 3);
    ring.want('ABD');
    ring.heard.set('A', ring.goal);
    ring.move('A');
    ring.stop();
    ring.settle(10_000);
    expect(ring.sent).toEqual([]);
  });
});
