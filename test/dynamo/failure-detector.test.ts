import { beforeEach, describe, expect, test } from 'vitest';
import { FailureDetector } from '../../src/dynamo/failure-detector.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import { ManualClock } from '../parts/manual-clock.ts';

let clock: ManualClock;
let probed: string[];
let detector: FailureDetector;

beforeEach(() => {
  clock = new ManualClock();
  probed = [];
  detector = new FailureDetector({
    self: 'a',
    clock,
    limits: { ...DEFAULT_NODE_LIMITS, suspectAfterMs: 100, probeIntervalMs: 50 },
    probe: (node) => {
      probed.push(node);
      detector.noteSent(node);
    },
  });
});

describe('a node, as another sees it,', () => {
  test('is up as long as nothing speaks against it, and so is the one that asks', () => {
    expect(detector.isUp('b')).toBe(true);
    detector.noteSent('a');
    clock.advance(1_000);
    expect(detector.isUp('a')).toBe(true);
  });

  test('is down once a message is unanswered for too long, however many others were sent since', () => {
    detector.noteSent('b');
    clock.advance(60);
    detector.noteSent('b');
    expect(detector.isUp('b')).toBe(true);
    clock.advance(40);
    expect(detector.isUp('b')).toBe(false);
  });

  test('is up again as soon as it is heard', () => {
    detector.noteSent('b');
    clock.advance(100);
    expect(detector.isUp('b')).toBe(false);
    detector.noteHeard('b');
    expect(detector.isUp('b')).toBe(true);
  });

  test('is probed only while it is silent', () => {
    detector.start(() => ['a', 'b', 'c']);
    clock.advance(20);
    detector.noteHeard('b');
    clock.advance(30);
    expect(probed).toEqual(['c']);
    clock.advance(50);
    expect(probed).toEqual(['c', 'b', 'c']);
    clock.advance(100);
    expect(detector.isUp('c')).toBe(false);
    detector.stop();
    expect(clock.timers).toBe(0);
  });
});
