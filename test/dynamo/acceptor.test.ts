import { describe, expect, test } from 'vitest';
import { type Ballot, highestAt, TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import type { PartitionVotes } from '../../src/dynamo/epochs/partition-votes.ts';
import { PurgeMember } from '../../src/dynamo/healing/purge-member.ts';
import { collectionPrefix } from '../../src/dynamo/keyspace.ts';
import type { PartitionConfig, PurgeRequest, RegisterRequest, Reply } from '../../src/dynamo/messages.ts';
import type { NodeSettings } from '../../src/dynamo/node-settings.ts';
import { openNodeState } from '../../src/dynamo/node-state.ts';
import { ItemRecord } from '../../src/dynamo/record.ts';
import { Acceptor } from '../../src/dynamo/registers/acceptor.ts';
import type { Clock } from '../../src/env/clock.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import { type KeyOrder, keyAfter } from '../../src/env/store.ts';
import { nodeSettings } from '../parts/node-settings.ts';
import { fieldsOf } from './record-fields.ts';

const NOW_MS = 1_000_000;
const KEY = collectionPrefix('\0\0\0\0\0\0\0\x01', 'user', 1);
const CONFIG: PartitionConfig = { partition: 0, epoch: 0, members: [{ node: 'a', diskId: 1 }], attempt: 0 };

const ballot = (afterMs: number, coordinator = 1): Ballot => ({
  hlc: (NOW_MS + afterMs) * TICKS_PER_MS,
  coordinator,
  boot: 1,
});
const record = (at: Ballot, text: string | undefined = 'x'): ItemRecord =>
  new ItemRecord({
    ballot: at,
    item: text === undefined ? undefined : { size: text.length, json: Buffer.from(text) },
    partitionKey: 'user',
    lineage: [],
  });

/** One replica on a disk of its own: flushes take until `flush()`, and `restart()` loses what was not flushed. */
function replica(isBootstrap = true, limits: Partial<NodeSettings['limits']> = {}) {
  let waiting: (() => void)[] = [];
  const store = new MemoryStore({ flushAfter: (complete) => waiting.push(complete) });
  const clock: Clock = { now: () => NOW_MS, elapsedMs: () => 0, after: () => 0, cancel: () => {} };
  const settings = nodeSettings({ id: 'a', diskId: 1, writeQuorum: 1, ring: [CONFIG], isBootstrap, limits });
  const flush = () => {
    const due = waiting;
    waiting = [];
    for (const complete of due) complete();
  };
  let acceptor: Acceptor;
  let purge: PurgeMember;
  let votes: PartitionVotes;
  const start = () => {
    openNodeState(store, settings, (state) => {
      votes = state.votes;
      acceptor = new Acceptor({ settings, store, clock, state });
      purge = new PurgeMember({ settings, store, clock, votes, acceptor, hasOtherRecord: () => false });
    });
    flush();
  };
  start();
  const receive = (request: RegisterRequest | PurgeRequest, answer: (reply: Reply) => void) => {
    if (request.kind === 'confirm-tombstone' || request.kind === 'purge') purge.receive(request, answer);
    else acceptor.receive(request, answer);
  };
  const ask = (request: RegisterRequest | PurgeRequest): Reply | undefined => {
    let answer: Reply | undefined;
    receive(request, (reply) => {
      answer = reply;
    });
    return answer;
  };
  return {
    acceptor: () => acceptor,
    receive,
    votes: () => votes,
    store,
    ask,
    flush,
    /** Answers that wait for the disk arrive as well. */
    askFlushed(request: RegisterRequest | PurgeRequest): Reply | undefined {
      const answers: Reply[] = [];
      receive(request, (reply) => answers.push(reply));
      while (waiting.length > 0) flush();
      expect(answers.length).toBeLessThanOrEqual(1);
      return answers[0];
    },
    /** In order: the disk has all that was written. */
    stop() {
      acceptor.stop();
      store.flush(() => {});
      while (waiting.length > 0) flush();
    },
    restart() {
      waiting = [];
      store.crash();
      start();
    },
  };
}

type Request = RegisterRequest | PurgeRequest;

const prepare = (at: Ballot, epoch = 0): Request => ({ kind: 'prepare', key: KEY, ballot: at, epoch });
const accept = (what: ItemRecord, epoch = 0): Request => ({ kind: 'accept', key: KEY, record: what, epoch });
const learn = (what: ItemRecord): Request => ({ kind: 'learn', key: KEY, record: what });
const read: Request = { kind: 'read', key: KEY, epoch: 0 };
const readCommitted: Request = { kind: 'read-committed', key: KEY };

describe('a replica asked to prepare', () => {
  test('promises a ballot above all it has seen, and reports both its records', () => {
    const { ask, askFlushed } = replica();
    askFlushed(prepare(ballot(1)));
    askFlushed(accept(record(ballot(1))));
    ask(learn(record(ballot(1))));
    askFlushed(accept(record(ballot(2), 'y')));
    expect(askFlushed(prepare(ballot(3)))).toMatchObject({
      kind: 'promise',
      accepted: { ballot: ballot(2) },
      committed: { ballot: ballot(1) },
    });
  });

  test('refuses a lower ballot and tells what to be above', () => {
    const { askFlushed } = replica();
    askFlushed(prepare(ballot(5)));
    expect(askFlushed(prepare(ballot(4)))).toEqual({ kind: 'rejected', from: 'a', effective: ballot(5) });
    expect(askFlushed(prepare(ballot(5, 0)))).toMatchObject({ kind: 'rejected' });
  });

  test('answers the same prepare again until something is accepted under it', () => {
    const { askFlushed } = replica();
    expect(askFlushed(prepare(ballot(5)))).toMatchObject({ kind: 'promise' });
    expect(askFlushed(prepare(ballot(5)))).toMatchObject({ kind: 'promise' });
    askFlushed(accept(record(ballot(5))));
    expect(askFlushed(prepare(ballot(5)))).toMatchObject({ kind: 'rejected' });
  });

  test('promises nothing before the ceiling above it is on disk', () => {
    const { ask, flush } = replica();
    expect(ask(prepare(ballot(1)))).toBeUndefined();
    flush();
    expect(ask(prepare(ballot(2)))).toMatchObject({ kind: 'promise' });
  });

  test('writes nothing to disk for further promises below the ceiling', () => {
    const { askFlushed, store } = replica();
    askFlushed(prepare(ballot(1)));
    askFlushed(prepare(ballot(1_000)));
    expect(store.volatileWriteCount).toBe(0);
  });

  test('after a restart refuses everything it may have promised before', () => {
    const { askFlushed, restart } = replica();
    askFlushed(prepare(ballot(10)));
    restart();
    expect(askFlushed(prepare(ballot(9)))).toMatchObject({ kind: 'rejected' });
    expect(askFlushed(accept(record(ballot(10))))).toMatchObject({ kind: 'rejected' });
    expect(askFlushed(prepare(ballot(10 + 2_001)))).toMatchObject({ kind: 'promise' });
  });

  test('keeps the higher of two ceilings that it raises at once, whichever comes last', () => {
    const { ask, askFlushed, flush, restart } = replica();
    ask(prepare(ballot(60)));
    ask({ kind: 'prepare', key: `${KEY}other`, ballot: ballot(20), epoch: 0 });
    flush();
    restart();
    // Above the ceiling that the lower ballot alone would have set, below the one that the higher one did.
    expect(askFlushed(prepare(ballot(2_040)))).toMatchObject({ kind: 'rejected' });
  });

  test('keeps refusing what it promised on a key whose promise was evicted', () => {
    const { askFlushed } = replica(true, { promisesKept: 1 });
    askFlushed(prepare(ballot(10)));
    askFlushed({ kind: 'prepare', key: `${KEY}other`, ballot: ballot(20), epoch: 0 });
    expect(askFlushed(prepare(ballot(9)))).toEqual({
      kind: 'rejected',
      from: 'a',
      effective: highestAt(ballot(10).hlc),
    });
  });

  test('refuses a ballot from a clock that is too far ahead', () => {
    const { askFlushed } = replica();
    expect(askFlushed(prepare(ballot(60_000)))).toMatchObject({ kind: 'promise' });
    expect(askFlushed(prepare(ballot(120_001)))).toMatchObject({ kind: 'rejected-drift' });
    // Not measured from the own clock alone: a key that is ahead stays usable.
    expect(askFlushed(prepare(ballot(119_000)))).toMatchObject({ kind: 'promise' });
  });
});

describe('a replica asked to accept', () => {
  test('acknowledges when the record is on disk, not before', () => {
    const { ask, askFlushed, flush } = replica();
    askFlushed(prepare(ballot(1)));
    expect(ask(accept(record(ballot(1))))).toBeUndefined();
    // Nor does a doubled accept get round the wait.
    expect(ask(accept(record(ballot(1))))).toBeUndefined();
    flush();
    expect(ask(accept(record(ballot(1))))).toMatchObject({ kind: 'accepted' });
  });

  test('reports an accepted record to nobody before it is on disk', () => {
    const { ask, askFlushed, flush } = replica();
    askFlushed(prepare(ballot(1)));
    ask(accept(record(ballot(1))));
    expect(ask(read)).toBeUndefined();
    expect(ask(prepare(ballot(2)))).toBeUndefined();
    flush();
    expect(ask(read)).toMatchObject({ kind: 'state', accepted: { ballot: ballot(1) } });
  });

  test('answers a read with what it held then, however much is accepted while the disk is busy', () => {
    const { acceptor, ask, askFlushed, flush } = replica();
    askFlushed(prepare(ballot(1)));
    ask(accept(record(ballot(1))));
    const answers: Reply[] = [];
    acceptor().receive(read, (reply) => answers.push(reply));
    ask(accept(record(ballot(2), 'later')));
    expect(answers).toEqual([]);
    flush();
    expect(answers).toMatchObject([{ kind: 'state', accepted: { ballot: ballot(1) } }]);
  });

  test('keeps an acknowledged record through a restart', () => {
    const { askFlushed, restart } = replica();
    askFlushed(prepare(ballot(1)));
    askFlushed(accept(record(ballot(1), 'kept')));
    restart();
    expect(askFlushed(read)).toMatchObject({ accepted: { ballot: ballot(1), item: { json: Buffer.from('kept') } } });
  });

  test('refuses a record below a later promise', () => {
    const { askFlushed } = replica();
    askFlushed(prepare(ballot(1)));
    askFlushed(prepare(ballot(2, 2)));
    expect(askFlushed(accept(record(ballot(1))))).toEqual({ kind: 'rejected', from: 'a', effective: ballot(2, 2) });
  });

  test('acknowledges again what it has accepted or knows to be committed', () => {
    const { ask, askFlushed } = replica();
    askFlushed(prepare(ballot(1)));
    askFlushed(accept(record(ballot(1))));
    expect(askFlushed(accept(record(ballot(1))))).toMatchObject({ kind: 'accepted' });
    ask(learn(record(ballot(1))));
    expect(askFlushed(accept(record(ballot(1))))).toMatchObject({ kind: 'accepted' });
    expect(askFlushed(read)).toMatchObject({ accepted: undefined, committed: { ballot: ballot(1) } });
  });
});

describe('a replica that learns', () => {
  test('keeps the greatest ballot, in whatever order records come', () => {
    const { ask } = replica();
    ask(learn(record(ballot(2), 'new')));
    ask(learn(record(ballot(1), 'old')));
    expect(ask(readCommitted)).toMatchObject({ committed: { ballot: ballot(2) } });
  });

  test('looks at neither promises nor epochs', () => {
    const { ask, askFlushed } = replica();
    askFlushed(prepare(ballot(9)));
    expect(ask(learn(record(ballot(1))))).toMatchObject({ kind: 'learned', vote: { epoch: 0, isSealed: false } });
    expect(ask(readCommitted)).toMatchObject({ committed: { ballot: ballot(1) } });
    // The promise stands all the same.
    expect(askFlushed(prepare(ballot(5)))).toMatchObject({ kind: 'rejected' });
  });

  test('drops an accepted record that the committed one supersedes, and no newer one', () => {
    const { ask, askFlushed } = replica();
    askFlushed(accept(record(ballot(5))));
    ask(learn(record(ballot(4))));
    expect(askFlushed(read)).toMatchObject({ accepted: { ballot: ballot(5) }, committed: { ballot: ballot(4) } });
    ask(learn(record(ballot(6))));
    expect(askFlushed(read)).toMatchObject({ accepted: undefined, committed: { ballot: ballot(6) } });
  });

  test('falls back to the accepted record if it crashes before the disk has the committed one', () => {
    const { ask, askFlushed, restart } = replica();
    askFlushed(accept(record(ballot(5))));
    ask(learn(record(ballot(5))));
    restart();
    expect(askFlushed(read)).toMatchObject({ accepted: { ballot: ballot(5) }, committed: undefined });
  });

  test('shows eventually consistent readers committed records only', () => {
    const { askFlushed, ask } = replica();
    askFlushed(accept(record(ballot(5))));
    expect(ask(readCommitted)).toMatchObject({ kind: 'state', committed: undefined });
  });
});

describe('a replica and epochs', () => {
  test('votes only in the epoch it is in, and tells its config', () => {
    const { askFlushed } = replica();
    for (const request of [prepare(ballot(1), 1), accept(record(ballot(1)), 1), { ...read, epoch: 1 } as Request]) {
      expect(askFlushed(request)).toEqual({ kind: 'wrong-epoch', from: 'a', config: CONFIG });
    }
  });

  test('that no config names stores what it learns, without a vote and without counting', () => {
    const { ask, askFlushed } = replica(false);
    expect(askFlushed(prepare(ballot(1)))).toEqual({ kind: 'wrong-epoch', from: 'a', config: undefined });
    expect(ask(learn(record(ballot(1))))).toMatchObject({ kind: 'learned', vote: undefined });
    expect(ask(readCommitted)).toMatchObject({ committed: { ballot: ballot(1) } });
  });
});

describe('a replica that is stopped in order', () => {
  test('refuses after its start what it has promised, and nothing above that', () => {
    const { stop, askFlushed, restart } = replica();
    askFlushed(prepare(ballot(5)));
    stop();
    restart();
    expect(askFlushed(prepare(ballot(5)))).toMatchObject({ kind: 'rejected' });
    expect(askFlushed(prepare(ballot(6)))).toMatchObject({ kind: 'promise' });
  });

  test('answers nothing any more, not even what waited for the disk', () => {
    const { acceptor, receive, flush } = replica();
    const answers: Reply[] = [];
    receive(prepare(ballot(5)), (reply) => answers.push(reply));
    acceptor().stop();
    flush();
    receive(prepare(ballot(6)), (reply) => answers.push(reply));
    expect(answers).toEqual([]);
  });

  test('keeps the floor that it had from the start before', () => {
    const { stop, askFlushed, restart } = replica();
    askFlushed(prepare(ballot(5)));
    restart();
    // Refused: it may have been promised before the crash.
    expect(askFlushed(prepare(ballot(1_000)))).toMatchObject({ kind: 'rejected' });
    stop();
    restart();
    expect(askFlushed(prepare(ballot(1_000)))).toMatchObject({ kind: 'rejected' });
  });
});

describe('the answer to a record that is told', () => {
  const flushedLearn: Request = { kind: 'learn', key: KEY, record: record(ballot(1)), isFlushed: true };

  test('names the epoch, and says whether the replica was sealed in it by then', () => {
    const { acceptor, flush, votes } = replica();
    let reply: Reply | undefined;
    acceptor().receive(flushedLearn, (answered) => {
      reply = answered;
    });
    votes().seal(0);
    flush();
    expect(reply).toMatchObject({ kind: 'learned', vote: { epoch: 0, isSealed: true } });
  });

  test('names none if the replica has begun another one meanwhile: it may have erased the record before', () => {
    const { acceptor, flush, votes } = replica();
    let reply: Reply | undefined;
    acceptor().receive(flushedLearn, (answered) => {
      reply = answered;
    });
    votes().begin({ ...CONFIG, epoch: 1 });
    votes().open(0);
    flush();
    expect(reply).toMatchObject({ kind: 'learned', vote: undefined });
  });
});

describe('a replica whose disk refused writes that were already shown', () => {
  test('refuses every ballot it may have promised, as after a restart', () => {
    const { askFlushed, store } = replica();
    askFlushed(prepare(ballot(1)));
    store.onLost?.();
    expect(askFlushed(accept(record(ballot(1))))).toMatchObject({ kind: 'rejected' });
  });
});

describe('a replica asked to purge a tombstone', () => {
  const HOUR_MS = 3_600_000;
  const old = ballot(-2 * HOUR_MS);
  const tombstone = new ItemRecord({ ...fieldsOf(record(old)), item: undefined });
  const confirm = (what: ItemRecord, epoch = 0): Request => ({
    kind: 'confirm-tombstone',
    key: KEY,
    record: what,
    epoch,
  });
  const purge = (at: Ballot, epoch = 0): Request => ({ kind: 'purge', key: KEY, ballot: at, epoch });

  test('takes the tombstone and confirms it when that is on disk, not before', () => {
    const { ask, askFlushed, flush, restart } = replica();
    ask(learn(record(ballot(-3 * HOUR_MS))));
    expect(ask(confirm(tombstone))).toBeUndefined();
    flush();
    restart();
    expect(askFlushed(readCommitted)).toMatchObject({ committed: { ballot: old, item: undefined } });
    expect(askFlushed(confirm(tombstone))).toMatchObject({ kind: 'confirmed' });
  });

  test('confirms nothing that is younger than the grace by its own clock', () => {
    const young = tombstone.withBallot(ballot(-HOUR_MS + 1), undefined);
    expect(replica().askFlushed(confirm(young))).toMatchObject({ kind: 'unconfirmed' });
  });

  test('confirms nothing while a newer record of the key is here, accepted or committed', () => {
    const accepting = replica();
    accepting.askFlushed(prepare(ballot(1)));
    accepting.askFlushed(accept(record(ballot(1))));
    expect(accepting.askFlushed(confirm(tombstone))).toMatchObject({ kind: 'unconfirmed' });
    const committed = replica();
    committed.ask(learn(record(ballot(1))));
    expect(committed.askFlushed(confirm(tombstone))).toMatchObject({ kind: 'unconfirmed' });
  });

  test('drops it, and refuses from then on what is older, after a restart too', () => {
    const { askFlushed, restart } = replica();
    askFlushed(confirm(tombstone));
    expect(askFlushed(purge(old))).toMatchObject({ kind: 'purged' });
    expect(askFlushed(readCommitted)).toMatchObject({ committed: undefined });
    for (const _ of ['before the restart', 'after it']) {
      expect(askFlushed(accept(record(ballot(-2 * HOUR_MS - 1))))).toMatchObject({ kind: 'rejected' });
      restart();
    }
  });

  test('keeps a record that came in between', () => {
    const { ask, askFlushed } = replica();
    askFlushed(confirm(tombstone));
    ask(learn(record(ballot(1), 'new')));
    askFlushed(purge(old));
    expect(askFlushed(readCommitted)).toMatchObject({ committed: { ballot: ballot(1) } });
  });

  test('keeps a higher promise, though not the tombstone', () => {
    const { askFlushed } = replica();
    askFlushed(confirm(tombstone));
    askFlushed(prepare(ballot(1)));
    askFlushed(purge(old));
    expect(askFlushed(readCommitted)).toMatchObject({ committed: undefined });
    expect(askFlushed(prepare(ballot(0)))).toMatchObject({ kind: 'rejected', effective: ballot(1) });
    expect(askFlushed(accept(record(ballot(1))))).toMatchObject({ kind: 'accepted' });
  });

  test('does neither in an epoch in which it has no vote', () => {
    const { askFlushed } = replica();
    expect(askFlushed(confirm(tombstone, 1))).toMatchObject({ kind: 'wrong-epoch' });
    expect(askFlushed(purge(old, 1))).toMatchObject({ kind: 'wrong-epoch' });
  });
});

describe('a range read', () => {
  test('lists keys with accepted or committed records in key order, and says when there are more', () => {
    const { ask, askFlushed } = replica();
    const at = (suffix: string) => `${KEY}${suffix}`;
    ask({ kind: 'learn', key: at('b'), record: record(ballot(1)) });
    ask({ kind: 'learn', key: at('d'), record: record(ballot(1)) });
    askFlushed({ kind: 'accept', key: at('c'), record: record(ballot(1)), epoch: 0 });
    askFlushed({ kind: 'accept', key: at('b'), record: record(ballot(2)), epoch: 0 });
    const range = (limit: number, epoch: number | undefined, order: KeyOrder = 'forward') =>
      askFlushed({ kind: 'read-range', from: at('a'), to: at('z'), order, limit, bytesLimit: 10_000, epoch });
    expect(range(10, 0)).toMatchObject({
      more: false,
      entries: [
        { key: at('b'), accepted: { ballot: ballot(2) }, committed: { ballot: ballot(1) } },
        { key: at('c'), accepted: { ballot: ballot(1) } },
        { key: at('d'), committed: { ballot: ballot(1) } },
      ],
    });
    expect(range(2, 0)).toMatchObject({ more: true, entries: [{ key: at('b') }, { key: at('c') }] });
    expect(range(10, undefined)).toMatchObject({ entries: [{ key: at('b') }, { key: at('d') }] });
  });

  test('lists them from the highest key down, and keeps to its bounds', () => {
    const { ask, askFlushed } = replica();
    const at = (suffix: string) => `${KEY}${suffix}`;
    for (const suffix of ['a', 'b', 'd', 'f']) ask({ kind: 'learn', key: at(suffix), record: record(ballot(1)) });
    for (const suffix of ['c', 'd', 'e']) {
      askFlushed({ kind: 'accept', key: at(suffix), record: record(ballot(2)), epoch: 0 });
    }
    const range = (limit: number, epoch: number | undefined, to = at('f')) => {
      const from = at('b');
      const page = { from, to, order: 'backward', limit, bytesLimit: 10_000 } as const;
      const reply = askFlushed({ kind: 'read-range', ...page, epoch });
      if (reply?.kind !== 'range') throw new Error('no range');
      return `${reply.entries.map(({ key }) => key.slice(KEY.length)).join('')}${reply.more ? ' and more' : ''}`;
    };
    expect(range(10, 0)).toBe('edcb');
    expect(range(10, 0, keyAfter(at('f')))).toBe('fedcb');
    expect(range(2, 0)).toBe('ed and more');
    expect(range(3, 0)).toBe('edc and more');
    expect(range(10, undefined)).toBe('db');
    expect(range(1, undefined)).toBe('d and more');
  });
});

describe('a replica that cannot read a record', () => {
  const adopt = (at: Ballot, what: ItemRecord | undefined, epoch = 0): Request => ({
    kind: 'adopt',
    key: KEY,
    ballot: at,
    record: what,
    epoch,
  });
  /** Committed at 5, and unreadable. */
  const damaged = (limits: Partial<NodeSettings['limits']> = {}) => {
    const one = replica(true, limits);
    one.askFlushed(accept(record(ballot(5))));
    one.ask(learn(record(ballot(5))));
    one.askFlushed(prepare(ballot(6)));
    one.flush();
    one.store.damage('items', KEY);
    one.restart();
    return one;
  };

  test('has no say about the key, whatever it is asked', () => {
    const { askFlushed } = damaged();
    const page = { from: KEY, to: `${KEY}\xff`, order: 'forward', limit: 10, bytesLimit: 10_000 } as const;
    const range = { kind: 'read-range', ...page, epoch: 0 } as const;
    for (const request of [prepare(ballot(9_000)), accept(record(ballot(9_000))), read, readCommitted]) {
      expect(askFlushed(request), request.kind).toMatchObject({ kind: 'damaged' });
    }
    expect(askFlushed(range)).toMatchObject({ entries: [{ key: KEY, isDamaged: true }] });
    expect(askFlushed({ ...range, epoch: undefined })).toMatchObject({ entries: [{ key: KEY, isDamaged: true }] });
  });

  test('confirms no tombstone of it, although it takes it', () => {
    const { askFlushed } = damaged({ tombstoneGraceMs: 0 });
    const tombstone = record(ballot(-1), undefined);
    const confirm: Request = { kind: 'confirm-tombstone', key: KEY, record: tombstone, epoch: 0 };
    expect(askFlushed(confirm)).toMatchObject({ kind: 'unconfirmed' });
    expect(askFlushed(confirm)).toMatchObject({ kind: 'unconfirmed' });
  });

  test('is no home of what it learns meanwhile: that may rot too, and what others told before is restored', () => {
    const one = damaged();
    const learnFlushed: Request = { kind: 'learn', key: KEY, record: record(ballot(7)), isFlushed: true };
    expect(one.askFlushed(learnFlushed)).toMatchObject({ kind: 'learned', vote: undefined });
    // The round of the restore has asked the others before they had it.
    one.store.damage('items', KEY);
    one.askFlushed(adopt(ballot(9_000), record(ballot(5))));
    expect(one.askFlushed(readCommitted)).toMatchObject({ kind: 'state', committed: { ballot: ballot(5) } });
    expect(one.askFlushed(learnFlushed)).toMatchObject({ kind: 'learned', vote: { epoch: 0, isSealed: false } });
  });

  test('keeps what it learns meanwhile, and has no say until it is restored: that may be older', () => {
    const one = damaged();
    const flushed: Request = { kind: 'learn', key: KEY, record: record(ballot(3)), isFlushed: true };
    expect(one.askFlushed(flushed)).toMatchObject({ kind: 'learned' });
    expect(one.askFlushed(readCommitted)).toMatchObject({ kind: 'damaged', committed: { ballot: ballot(3) } });
    one.restart();
    expect(one.askFlushed(read)).toMatchObject({ kind: 'damaged', committed: { ballot: ballot(3) } });
    one.askFlushed(adopt(ballot(9_000), record(ballot(9_000))));
    expect(one.acceptor().restored(KEY, record(ballot(9_000)))).toBe(true);
    expect(one.askFlushed(read)).toMatchObject({ kind: 'state', committed: { ballot: ballot(9_000) } });
    // The mark goes with the record or after it, never before.
    one.restart();
    expect(one.askFlushed(read)).toMatchObject({ kind: 'damaged' });
    one.askFlushed(adopt(ballot(12_000), record(ballot(12_000))));
    expect(one.acceptor().restored(KEY, record(ballot(12_000)))).toBe(true);
    one.askFlushed({ ...flushed, record: record(ballot(12_000)) });
    one.restart();
    expect(one.askFlushed(read)).toMatchObject({ kind: 'state', committed: { ballot: ballot(12_000) } });
  });

  test('is not restored by a round from before it has rotted again, which may have taken a newer record', () => {
    const one = damaged();
    one.askFlushed(adopt(ballot(9_000), record(ballot(9_000))));
    // What is chosen next comes before the end of that round, rots, and is written over by an older one that comes late.
    one.ask(learn(record(ballot(9_500))));
    one.store.damage('items', KEY);
    one.ask(learn(record(ballot(4))));
    expect(one.acceptor().restored(KEY, record(ballot(9_000)))).toBe(false);
    expect(one.askFlushed(read)).toMatchObject({ kind: 'damaged' });
  });

  test('adopts a record once it is on disk, and only while it is damaged', () => {
    const one = damaged();
    const later = record(ballot(9_000));
    expect(one.ask(adopt(ballot(9_000), later))).toBeUndefined();
    expect(one.askFlushed(adopt(ballot(9_001), record(ballot(9_001))))).toMatchObject({ kind: 'accepted' });
    // Still without a say: what it had committed is not back.
    expect(one.askFlushed(read)).toMatchObject({ kind: 'damaged' });
    one.acceptor().restored(KEY, record(ballot(9_001)));
    expect(one.askFlushed(adopt(ballot(9_002), record(ballot(9_002))))).toMatchObject({ kind: 'rejected' });
  });

  test.each([
    ['nothing', undefined],
    ['another record', record(ballot(1_000))],
    ['a committed record', record(ballot(7))],
  ])('acknowledges no record that rots before the disk has it and gives way to %s', (_, adopted) => {
    const one = replica(true, { statesKept: 0 });
    one.askFlushed(prepare(ballot(8)));
    const kinds: string[] = [];
    const tell = (request: Parameters<typeof one.ask>[0]) =>
      one.acceptor().receive(request as never, ({ kind }) => kinds.push(kind));
    // Nothing of the following waits for a higher ceiling.
    tell(accept(record(ballot(8))));
    tell(read);
    one.store.damage('paxos', KEY);
    tell(adopt(ballot(1_000), adopted));
    for (let i = 0; i < 5; i++) one.flush();
    // The acceptance and the read, which was to report it, answer that they cannot tell.
    expect(kinds.toSorted()).toEqual(['accepted', 'damaged', 'damaged']);
  });

  test('adopts nothing below what it may have promised, and nothing of another epoch', () => {
    const one = damaged();
    // After its restart it refuses what is not above its ceiling.
    expect(one.askFlushed(adopt(ballot(7), record(ballot(7))))).toMatchObject({ kind: 'rejected' });
    expect(one.askFlushed(adopt(ballot(9_000), record(ballot(9_000)), 1))).toMatchObject({ kind: 'wrong-epoch' });
  });

  test('drops what nobody else has, and refuses from then on what it may have been, over a restart too', () => {
    const one = damaged();
    expect(one.askFlushed(adopt(ballot(9_000), undefined))).toMatchObject({ kind: 'accepted' });
    expect(one.askFlushed(read)).toMatchObject({ kind: 'state', committed: undefined });
    expect(one.askFlushed(accept(record(ballot(8_999))))).toMatchObject({ kind: 'rejected' });
    one.restart();
    expect(one.askFlushed(accept(record(ballot(8_999))))).toMatchObject({ kind: 'rejected' });
  });

  test('is whole with a committed record under its own ballot, and keeps its promise above it, over a restart too', () => {
    const one = damaged();
    const accepted = () => one.askFlushed(accept(record(ballot(8_999))));
    expect(one.askFlushed(adopt(ballot(9_000), record(ballot(7))))).toMatchObject({ kind: 'accepted' });
    expect(one.askFlushed(read)).toMatchObject({
      kind: 'state',
      accepted: undefined,
      committed: { ballot: ballot(7) },
    });
    expect(accepted()).toMatchObject({ kind: 'rejected', effective: ballot(9_000) });
    one.restart();
    expect(one.askFlushed(read)).toMatchObject({
      kind: 'state',
      accepted: undefined,
      committed: { ballot: ballot(7) },
    });
    expect(accepted()).toMatchObject({ kind: 'rejected' });
  });

  test('stays damaged if it is killed before the disk has the committed record', () => {
    const one = damaged();
    expect(one.ask(adopt(ballot(9_000), record(ballot(7))))).toBeUndefined();
    // The disk has the ceiling above the promise now, and nothing else.
    one.flush();
    expect(one.ask(read)).toMatchObject({ kind: 'state', committed: { ballot: ballot(7) } });
    one.restart();
    expect(one.askFlushed(read)).toMatchObject({ kind: 'damaged' });
  });

  test('keeps a newer record that it has learned since the others were asked, and one that it accepts no more', () => {
    const one = damaged();
    one.ask(learn(record(ballot(8))));
    expect(one.askFlushed(adopt(ballot(9_000), record(ballot(7))))).toMatchObject({ kind: 'accepted' });
    expect(one.askFlushed(read)).toMatchObject({ kind: 'state', committed: { ballot: ballot(8) } });
    // What is learned afterwards looks at no promise.
    one.ask(learn(record(ballot(10))));
    expect(one.askFlushed(read)).toMatchObject({ kind: 'state', committed: { ballot: ballot(10) } });
  });

  test('gives no vote if only the accepted one is damaged, since nobody knows how new that was', () => {
    const one = replica();
    one.askFlushed(accept(record(ballot(5))));
    one.ask(learn(record(ballot(5))));
    one.askFlushed(accept(record(ballot(8))));
    one.store.damage('paxos', KEY);
    one.restart();
    expect(one.askFlushed(prepare(ballot(9_000)))).toMatchObject({ kind: 'damaged', committed: { ballot: ballot(5) } });
    // It learns what is newer than what it can read, and that is perhaps older than what it had accepted.
    one.ask(learn(record(ballot(6))));
    expect(one.askFlushed(read)).toMatchObject({ kind: 'damaged' });
  });
});
