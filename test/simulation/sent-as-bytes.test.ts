import { describe, expect, test } from 'vitest';
import type { Codec } from '../../src/env/codec.ts';
import { SCENARIOS } from './scenarios.ts';
import { MessageBytes } from './sent-as-bytes.ts';
import { simulateHistory } from './simulation.ts';

interface Said {
  readonly kind: string;
  readonly what?: string | undefined;
}

const CODEC: Codec<Said> = {
  encode: (message) => Buffer.from(JSON.stringify(message)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
};

/** Loses what a message says. */
const FORGETFUL: Codec<Said> = { ...CODEC, encode: ({ kind }) => Buffer.from(JSON.stringify({ kind })) };

const HELLO = { kind: 'hello', what: 'world' };

describe('a message sent as bytes', () => {
  test('is another object for each delivery', () => {
    const take = new MessageBytes<Said>(true).send(CODEC, HELLO);
    const [first, second] = [take(), take()];
    expect(first).toEqual(HELLO);
    expect(second).toEqual(HELLO);
    expect(first).not.toBe(HELLO);
    expect(second).not.toBe(first);
  });

  test('may lack what was undefined', () => {
    expect(new MessageBytes<Said>(true).send(CODEC, { kind: 'hello', what: undefined })()).toEqual({ kind: 'hello' });
  });
});

describe('a codec that loses something', () => {
  test('is noticed at every message', () => {
    const sent = new MessageBytes<Said>(true);
    for (let count = 0; count < 20; count++) {
      expect(() => sent.send(FORGETFUL, HELLO)).toThrow('decodes to something else at /what');
    }
  });

  test('is not asked where messages are sent as they are', () => {
    expect(new MessageBytes<Said>(false).send(FORGETFUL, HELLO)()).toBe(HELLO);
  });
});

/** Between them, they send messages of all kinds. */
const SCENARIOS_OF_ALL_KINDS = [
  'full-mix',
  'rotting-ordered',
  'lagging-dynamo',
  'index-mix',
  'local-moves',
  'hosts-stressed-goal',
] as const;

describe('nobody writes to a message: a history is the same, event for event, as bytes and without', () => {
  test.for(SCENARIOS_OF_ALL_KINDS)('%s', (name) => {
    const [asBytes, asTheyAre] = [true, false].map(
      (sendsBytes) => simulateHistory(SCENARIOS[name], 7, {}, false, sendsBytes).hash,
    );
    expect(asTheyAre).toBe(asBytes);
  });
});
