import { describe, expect, test } from 'vitest';
import { cellKey } from '../../../src/dynamo/log/log-keys.ts';
import type { Rules } from '../../../src/dynamo/rules.ts';
import { putOf } from '../derived/indexed-ring.ts';
import type { Message } from '../three-nodes.ts';
import { PREFIX, StreamRing } from './stream-ring.ts';

/* Counterexamples of docs/protocol.md about logs that seeds do not show soon. Each is told twice, as those of indexes are. */

function told(name: string, broken: Partial<Rules>, tell: (ring: StreamRing) => unknown, sound: unknown): void {
  describe(name, () => {
    test('does not happen', () => {
      expect(tell(new StreamRing())).toEqual(sound);
    });

    test(`happens without ${Object.keys(broken).join(' and ')}`, () => {
      expect(tell(new StreamRing({ rules: broken }))).not.toEqual(sound);
    });
  });
}

told(
  'counterexample 60: one reading of a log is taken for a snapshot of it',
  { logIsReadTwice: false },
  (ring) => {
    const cell = cellKey(PREFIX, 1);
    ring.register(ring.derivation);
    ring.put('A', 'zero', { v: '0' });
    // Cell 1 is proposed late, and B never hears of its record.
    ring.delayOf = ({ from, to, request }) => {
      if (request.kind === 'prepare' && request.key === cell) return 100;
      return request.kind === 'read-range' && from === 'C' && to === 'B' ? 300 : 0;
    };
    ring.isLost = ({ from, to, request }) => {
      if ((request.kind === 'accept' || request.kind === 'learn') && request.key === cell) return to === 'B';
      return request.kind === 'mark-logged' || (request.kind === 'read-range' && from === 'C' && to === 'A');
    };
    ring.begin('A', 'one', putOf('one', { v: '1' }));
    ring.settle(10);
    // C is to append the same change. Of the log it is told by itself now, and by B when there is a cell 2.
    ring.node('C').settleOutbox(() => {});
    ring.settle(140);
    ring.begin('A', 'two', putOf('two', { v: '2' }));
    ring.settle(1_000);
    ring.isLost = () => false;
    ring.settle(10_000);
    return ring.log('B');
  },
  ['zero: ->0', 'one: ->1', 'two: ->2'],
);

told(
  'counterexample 61: what one appender has left out as too old is appended by another one, behind a later change',
  { retentionIsHandedOn: false },
  (ring) => {
    const isOfLog = ({ request }: Message) => 'key' in request && request.key.startsWith(PREFIX);
    ring.register(ring.derivation);
    ring.put('A', 'zero', { v: '0' });
    // From now on C knows the end of the log.
    ring.put('C', 'other', { v: '0' });
    ring.isLost = (message) => isOfLog(message) && message.from === 'A';
    ring.put('A', 'one', { v: '1' });
    ring.restart('A');
    ring.settle(1_000);
    const beforeMs = ring.clock.now();
    const trim = { kind: 'trim-log', requestId: undefined, key: cellKey(PREFIX, 0), beforeMs } as const;
    ring.start((done) => ring.node('B').coordinate(trim, done));
    ring.settle(1_000);
    // B reads the end of the log now.
    ring.isLost = ({ to, request }) => request.kind === 'mark-logged' && to !== 'B';
    ring.put('B', 'one', { v: '2' });
    // C hears of nobody that this is logged.
    ring.isLost = ({ from, to, request }) => request.kind === 'read' && from === 'C' && to === 'B';
    ring.node('C').settleOutbox(() => {});
    ring.settle(10_000);
    ring.isLost = () => false;
    return [ring.log('B'), ring.log('B', 1)];
  },
  ['trimmed', ['other: ->0', 'one: 1>2']],
);
