import { describe, expect, test } from 'vitest';
import { Departing } from '../../src/api/departure.ts';
import {
  answered,
  pause,
  runTask,
  runUntilGone,
  type Task,
  type TimedWait,
  wait,
  waitAtMost,
} from '../../src/dynamo/task.ts';
import { ManualClock } from '../parts/manual-clock.ts';

/** Runs a task; what it has done so far is in `log`. */
function run(task: Task<unknown>, log: unknown[]): void {
  runTask(
    task,
    (value) => log.push(['done', value]),
    () => log.push('ended'),
  );
}

describe('a task that waits for one result', () => {
  test('goes on within the event that brings it', () => {
    const log: unknown[] = [];
    let resume: (value: number) => void = () => {};
    function* task(): Task<number> {
      const value = yield* wait<number>(new ManualClock(), (resumeTask) => {
        resume = resumeTask;
      });
      return value + 1;
    }
    run(task(), log);
    expect(log).toEqual([]);
    resume(1);
    expect(log).toEqual(['ended', ['done', 2]]);
  });

  test('is not resumed within the call that starts the wait, but in an event of its own', () => {
    const clock = new ManualClock();
    const log: unknown[] = [];
    function* task(): Task<void> {
      const value = yield* wait<string>(clock, (resume) => {
        resume('at once');
        log.push('started');
      });
      log.push(value);
    }
    run(task(), log);
    expect(log).toEqual(['started']);
    clock.advance(0);
    expect(log).toEqual(['started', 'at once', 'ended', ['done', undefined]]);
  });

  test('is told of a bug if it is resumed twice, or within the call by what keeps to no rule', () => {
    let resume: () => void = () => {};
    function* task(): Task<void> {
      yield* wait<void>(new ManualClock(), (resumeTask) => {
        resume = resumeTask;
      });
    }
    run(task(), []);
    resume();
    expect(resume).toThrow('resumed once');
    function* careless(): Task<void> {
      yield (resumeTask) => resumeTask(undefined as never);
    }
    expect(() => run(careless(), [])).toThrow('resumed once');
  });

  test('waits for some time', () => {
    const clock = new ManualClock();
    const log: unknown[] = [];
    run(pause(clock, 10), log);
    clock.advance(9);
    expect(log).toEqual([]);
    clock.advance(1);
    expect(log).toEqual(['ended', ['done', undefined]]);
  });
});

test('a task whose result nobody waits for any more ends at its next step', () => {
  const clock = new ManualClock();
  const departure = new Departing();
  const log: unknown[] = [];
  function* task(): Task<string> {
    try {
      for (let step = 1; step <= 3; step++) {
        log.push(step);
        yield* pause(clock, 10);
      }
      return 'a result';
    } finally {
      log.push('finally');
    }
  }
  runUntilGone(task(), departure, (value) => log.push(value));
  clock.advance(10);
  expect(log).toEqual([1, 2]);
  departure.go();
  expect(log).toEqual([1, 2]);
  clock.advance(10);
  expect(log).toEqual([1, 2, 'finally', undefined]);
  runUntilGone(task(), new Departing(), (value) => log.push(value));
  clock.advance(30);
  expect(log.slice(4)).toEqual([1, 2, 3, 'finally', 'a result']);
});

describe('a task that waits for a time at most', () => {
  function timed() {
    const clock = new ManualClock();
    const log: unknown[] = [];
    let wait!: TimedWait<string>;
    const begin = (start: (timedWait: TimedWait<string>) => void) => run(waitAtMost(clock, 10, start), log);
    begin((started) => {
      wait = started;
    });
    return { clock, log, wait };
  }

  test('has the result that comes in time, and leaves no timer', () => {
    const { clock, log, wait } = timed();
    expect(wait.isOver).toBe(false);
    wait.finish('in time');
    expect(log).toEqual(['ended', ['done', 'in time']]);
    expect(wait.isOver).toBe(true);
    expect(clock.timers).toBe(0);
  });

  test('has none after the time-out, and what comes then changes nothing', () => {
    const { clock, log, wait } = timed();
    clock.advance(10);
    expect(log).toEqual(['ended', ['done', undefined]]);
    wait.finish('late');
    expect(wait.isOver).toBe(true);
    expect(log).toHaveLength(2);
  });

  test('has the first of two results, also if it comes in the very event of the time-out', () => {
    const { clock, log, wait } = timed();
    clock.after(10, () => wait.finish('second'));
    clock.advance(10);
    expect(log).toEqual(['ended', ['done', undefined]]);
    const other = timed();
    other.wait.finish('first');
    other.wait.finish('second');
    other.clock.advance(10);
    expect(other.log).toEqual(['ended', ['done', 'first']]);
  });

  test('is not resumed within the call by an answer that is given at once', () => {
    const clock = new ManualClock();
    const log: unknown[] = [];
    const start = (timedWait: TimedWait<string>) => {
      timedWait.finish('at once');
      timedWait.finish('again');
      log.push('started');
    };
    run(waitAtMost(clock, 10, start), log);
    expect(log).toEqual(['started']);
    clock.advance(0);
    expect(log).toEqual(['started', 'ended', ['done', 'at once']]);
    clock.advance(10);
    expect(log).toHaveLength(3);
  });

  test('is never resumed once the wait is abandoned', () => {
    const { clock, log, wait } = timed();
    wait.abandon();
    wait.finish('late');
    clock.advance(10);
    expect(log).toEqual([]);
    expect(clock.timers).toBe(0);
  });
});

describe('a task that throws', () => {
  function* guarded(inner: Task<void>, log: unknown[]): Task<void> {
    try {
      yield* inner;
    } finally {
      log.push('finally');
    }
  }

  test('runs its finally and ends, and is not done; the error goes to whoever has resumed it', () => {
    const clock = new ManualClock();
    const log: unknown[] = [];
    function* failing(): Task<void> {
      yield* pause(clock, 1);
      throw new Error('a bug');
    }
    run(guarded(failing(), log), log);
    expect(() => clock.advance(1)).toThrow('a bug');
    expect(log).toEqual(['finally', 'ended']);
  });

  test('does so too if it is what it waits for that throws', () => {
    const clock = new ManualClock();
    const log: unknown[] = [];
    const start = (): void => {
      throw new Error('no such node');
    };
    expect(() => run(guarded(wait<void>(clock, start), log), log)).toThrow('no such node');
    expect(log).toEqual(['finally', 'ended']);
    function* timedOut(): Task<void> {
      yield* waitAtMost<void>(clock, 10, start);
    }
    expect(() => run(guarded(timedOut(), log), log)).toThrow('no such node');
    expect(log).toEqual(['finally', 'ended', 'finally', 'ended']);
    expect(clock.timers).toBe(0);
  });
});

test('a task that has its result is done within the call', () => {
  const log: unknown[] = [];
  run(answered('result'), log);
  expect(log).toEqual(['ended', ['done', 'result']]);
});
