import { describe, expect, test } from 'vitest';
import { type Ballot, TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import { BallotClock } from '../../src/dynamo/ballot-clock.ts';
import { PartitionVotes } from '../../src/dynamo/epochs/partition-votes.ts';
import { writeStaged } from '../../src/dynamo/epochs/staged-rows.ts';
import { collectionPrefix } from '../../src/dynamo/keyspace.ts';
import type { PartitionConfig, Reply, Request } from '../../src/dynamo/messages.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import { openNodeState } from '../../src/dynamo/node-state.ts';
import { ItemRecord, type LineageEntry } from '../../src/dynamo/record.ts';
import { Acceptor } from '../../src/dynamo/registers/acceptor.ts';
import { Promises } from '../../src/dynamo/registers/promises.ts';
import { ReplicaRows } from '../../src/dynamo/registers/replica-rows.ts';
import { RingView } from '../../src/dynamo/ring-view.ts';
import { SOUND_RULES } from '../../src/dynamo/rules.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import { ManualClock } from '../parts/manual-clock.ts';
import { nodeSettings } from '../parts/node-settings.ts';

/*
 * That each assertion of an invariant can fail: an assertion that cannot would be no better than none.
 */

const KEY = collectionPrefix('\0\0\0\0\0\0\0\x01', 'user', 1);
const SELF = { node: 'a', diskId: 1 };
const config = (epoch: number, node = 'a', attempt = epoch): PartitionConfig => ({
  partition: 0,
  epoch,
  members: [{ node, diskId: 1 }],
  attempt,
});
const ballot = (ms: number): Ballot => ({ hlc: ms * TICKS_PER_MS, coordinator: 1, boot: 1 });
const record = (ms: number, text = 'x', lineage: readonly LineageEntry[] = []): ItemRecord =>
  new ItemRecord({
    ballot: ballot(ms),
    item: { size: text.length, json: Buffer.from(text) },
    partitionKey: 'user',
    lineage,
  });

const settings = nodeSettings({ id: 'a', diskId: 1, writeQuorum: 1, ring: [config(0)] });
const clock = { now: () => 1_000, elapsedMs: () => 0, after: () => 0, cancel: () => {} };

function replica() {
  const store = new MemoryStore();
  let acceptor: Acceptor | undefined;
  let votes: PartitionVotes | undefined;
  openNodeState(store, settings, (state) => {
    votes = state.votes;
    acceptor = new Acceptor({ settings, store, clock, state });
  });
  const ask = (request: Parameters<Acceptor['receive']>[0]): Reply | undefined => {
    let answer: Reply | undefined;
    acceptor!.receive(request, (reply) => {
      answer = reply;
    });
    return answer;
  };
  const accept = (what: ItemRecord) => ask({ kind: 'accept', key: KEY, record: what, epoch: 0 } satisfies Request);
  return { store, votes: votes!, ask, accept };
}

describe('I1, a ballot names one record:', () => {
  test('a coordinator issues none twice, as it would with a clock that is beyond the whole numbers', () => {
    for (const now of [Number.NaN, Number.MAX_SAFE_INTEGER]) {
      const ballots = new BallotClock(
        {
          clock: { ...clock, now: () => now },
          coordinator: 1,
          boot: 1,
          ceilingHlc: 0,
          limits: DEFAULT_NODE_LIMITS,
          rules: SOUND_RULES,
        },
        'strict',
      );
      expect(() => [1, 2, 3].map(() => ballots.next())).toThrow('docs/protocol.md I1');
    }
  });

  test('a replica does not take another record under the ballot of the one that it has', () => {
    const { accept } = replica();
    accept(record(1, 'one'));
    expect(accept(record(1, 'one'))).toMatchObject({ kind: 'accepted' });
    expect(() => accept(record(1, 'two'))).toThrow('docs/protocol.md I1');
  });

  test('a disk is not started more often than a record can say', () => {
    const store = new MemoryStore();
    store.put('meta', 'boot', Buffer.from(String(0xffff_ffff)));
    expect(() => openNodeState(store, settings, () => {})).toThrow('docs/protocol.md I1');
  });
});

describe('I2, promises only grow:', () => {
  const promises = () => new Promises(settings, new MemoryStore(), { ceilingHlc: ballot(10).hlc });

  test('a promise is not replaced by a lower one', () => {
    const promised = promises();
    promised.promise(KEY, ballot(5));
    expect(() => promised.promise(KEY, ballot(4))).toThrow('docs/protocol.md I2');
    expect(() => promised.accepted(KEY, ballot(4))).toThrow('docs/protocol.md I2');
  });

  test('nothing is promised above what the next start will refuse', () => {
    expect(() => promises().promise(KEY, ballot(11))).toThrow('docs/protocol.md I2');
    expect(() => promises().raiseFloor(ballot(11).hlc)).toThrow('docs/protocol.md I2');
  });
});

describe('section 1.3, what a replica has of a key:', () => {
  test('an accepted record is newer than the committed one', () => {
    const rows = new ReplicaRows(new MemoryStore(), new ManualClock(0), settings, () => {});
    expect(() => rows.accept(KEY, record(5), record(5))).toThrow('docs/protocol.md section 1.3');
    expect(() => rows.accept(KEY, record(6), record(5))).not.toThrow();
  });

  test('what is cached is what is stored', () => {
    const { store, ask, accept } = replica();
    accept(record(5));
    store.put('paxos', KEY, record(6).stored);
    expect(() => ask({ kind: 'read', key: KEY, epoch: 0 })).toThrow('docs/protocol.md section 1.3');
  });
});

test('I5, the greater ballot wins: a committed record does not give way to an older one', () => {
  const rows = new ReplicaRows(new MemoryStore(), new ManualClock(0), settings, () => {});
  expect(() => rows.commit(KEY, record(5), { committed: record(5) })).toThrow('docs/protocol.md I5');
});

test('I6, an operation is in a record once', () => {
  const { accept } = replica();
  const entry = { coordinator: 1, boot: 1, sequence: 7, hlc: 1 };
  expect(() => accept(record(5, 'x', [entry, { ...entry, hlc: 2 }]))).toThrow('docs/protocol.md I6');
});

describe('I8, an epoch begins with one set of records:', () => {
  test('no other config is heard of for an epoch that is known', () => {
    const view = new RingView([config(3)]);
    expect(view.learnConfig(config(3))).toBe(false);
    expect(() => view.learnConfig(config(3, 'a', 4))).toThrow('docs/protocol.md I8');
  });

  test('a member that was sealed is not opened again without a new epoch', () => {
    const votes = new PartitionVotes(SELF, new MemoryStore());
    votes.begin(config(1));
    votes.open(0);
    expect(() => votes.open(0)).toThrow('docs/protocol.md I8');
    expect(() => votes.open(1)).toThrow('docs/protocol.md I8');
  });
});

describe('I9, who is not named has no vote:', () => {
  test('a disk begins no epoch that names another', () => {
    const votes = new PartitionVotes(SELF, new MemoryStore());
    expect(() => votes.begin(config(1, 'b'))).toThrow('docs/protocol.md I9');
  });

  test('a replica does not vote by a row that was written for another disk', () => {
    const { store, votes, accept } = replica();
    const { key } = store.range('meta', { from: 'vote/', to: 'vote0', limit: 1 })[0]!;
    store.put('meta', key, Buffer.from(JSON.stringify({ config: config(0, 'b'), isSealed: false })));
    votes.reload();
    expect(() => accept(record(1))).toThrow('docs/protocol.md I9');
  });
});

test('I13, an attempt that was superseded decides nothing: it does not replace what its successor has staged', () => {
  const store = new MemoryStore();
  writeStaged(store, config(1, 'a', 7), new Map());
  for (const attempt of [6, 7]) {
    expect(() => writeStaged(store, config(1, 'a', attempt), new Map())).toThrow('docs/protocol.md I13');
  }
});

describe('I12, a row never goes back:', () => {
  test('no epoch is begun that is not newer than the one before', () => {
    const votes = new PartitionVotes(SELF, new MemoryStore());
    votes.begin(config(2));
    for (const epoch of [1, 2]) expect(() => votes.begin(config(epoch))).toThrow('docs/protocol.md I12');
    for (const epoch of [1, 2]) expect(() => votes.leave(config(epoch, 'b'))).toThrow('docs/protocol.md I12');
    expect(() => votes.bootstrap(config(0))).toThrow('docs/protocol.md I12');
  });

  test('no epoch is begun that is older than the one by which the partition was left', () => {
    const votes = new PartitionVotes(SELF, new MemoryStore());
    votes.leave(config(2, 'b'));
    expect(() => votes.begin(config(1))).toThrow('docs/protocol.md I12');
    expect(() => votes.begin(config(2))).not.toThrow();
  });
});
