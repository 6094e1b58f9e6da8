import { describe, expect, test } from 'vitest';
import type { Reply } from '../../src/dynamo/messages.ts';
import type { Codec } from '../../src/env/codec.ts';
import { REPLY_CODEC } from '../../src/wire/reply-codec.ts';
import { REQUEST_CODEC } from '../../src/wire/request-codec.ts';
import { REPLY_KINDS, REQUEST_KINDS } from '../parts/message-kinds.ts';
import { SCENARIOS, type ScenarioName } from './scenarios.ts';
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
  'stream',
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

/** In a history no table is deleted, and seldom does a node refuse a hint, or a member not confirm a tombstone. */
const RARE: ReadonlySet<Reply['kind']> = new Set(['table-gone', 'hint-refused', 'unconfirmed']);

test('histories send all kinds of requests and replies as bytes, but for three answers that are rare', () => {
  const [requests, replies] = [kindsSentBy(REQUEST_CODEC), kindsSentBy(REPLY_CODEC)];
  try {
    const run = (name: ScenarioName, seeds: number) => {
      for (let seed = 1; seed <= seeds; seed++) simulateHistory(SCENARIOS[name], seed, {}, false, true);
    };
    for (const name of SCENARIOS_OF_ALL_KINDS) run(name, 2);
    // Few of their histories have a hint, or a clock that is refused.
    for (const name of ['dynamo-two-copies', 'drift'] as const) run(name, 40);
  } finally {
    requests.restore();
    replies.restore();
  }
  expect([...requests.kinds].sort()).toEqual(REQUEST_KINDS);
  expect([...replies.kinds].sort()).toEqual(REPLY_KINDS.filter((kind) => !RARE.has(kind)));
});

interface KindsSent {
  readonly kinds: ReadonlySet<string>;
  restore(): void;
}

/** Notes of what kinds the messages are that a codec encodes from now on. */
function kindsSentBy<M extends { readonly kind: string }>(codec: Codec<M>): KindsSent {
  const { encode } = codec;
  const kinds = new Set<string>();
  const noting = (message: M) => {
    kinds.add(message.kind);
    return encode(message);
  };
  Object.assign(codec, { encode: noting });
  return { kinds, restore: () => Object.assign(codec, { encode }) };
}
