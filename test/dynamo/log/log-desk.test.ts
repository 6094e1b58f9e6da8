import { expect, test } from 'vitest';
import type { LogRequest } from '../../../src/dynamo/coordination-messages.ts';
import { logPrefix } from '../../../src/dynamo/keyspace.ts';
import { cellKey, retentionKey } from '../../../src/dynamo/log/log-keys.ts';
import { keyOfItem } from '../derived/indexed-ring.ts';
import { PREFIX, StreamRing } from './stream-ring.ts';

/** What a node answers to a request. */
function answerTo(request: LogRequest): unknown {
  const ring = new StreamRing();
  ring.register(ring.derivation);
  ring.put('A', 'one', { v: '1' });
  const operation = ring.start((done) => ring.node('B').coordinate(request, done));
  ring.settle(10_000);
  return operation.result;
}

const FROM = { requestId: undefined, key: cellKey(PREFIX, 0) } as const;

test('a log is read, and its ends are told', () => {
  expect(answerTo({ kind: 'read-log', ...FROM, offset: 0, limit: 10 })).toMatchObject({
    kind: 'changes',
    next: { cell: 1, offset: 0 },
    isEnded: false,
  });
  expect(answerTo({ kind: 'log-ends', ...FROM })).toEqual({
    kind: 'log-ends',
    lowest: { cell: 0, offset: 0 },
    next: { cell: 1, offset: 0 },
    isEnded: false,
  });
});

test.for([
  ['of an item', keyOfItem('one')],
  ['of no cell', retentionKey(PREFIX)],
  ['of a partition that there is not', cellKey(logPrefix('a stream', 1, 1), 0)],
  ['cut short', PREFIX.slice(0, 9)],
  ['empty', ''],
])('a request with a key %s is given back', ([, key]) => {
  expect(answerTo({ kind: 'read-log', requestId: undefined, key: key!, offset: 0, limit: 1 })).toMatchObject({
    kind: 'unavailable',
  });
});

test.for([Number.NaN, Number.POSITIVE_INFINITY, -1, Number.MAX_SAFE_INTEGER])(
  'nothing is trimmed before %s',
  (beforeMs) => {
    expect(answerTo({ kind: 'trim-log', ...FROM, beforeMs })).toMatchObject({ kind: 'unavailable' });
  },
);
