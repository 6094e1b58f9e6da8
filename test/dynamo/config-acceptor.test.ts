import { beforeEach, describe, expect, test } from 'vitest';
import { NO_BALLOT } from '../../src/dynamo/ballot.ts';
import { ConfigAcceptor } from '../../src/dynamo/epochs/config-acceptor.ts';
import { PartitionVotes } from '../../src/dynamo/epochs/partition-votes.ts';
import type { ConfigRequest, ConfigValue, PartitionConfig, Reply } from '../../src/dynamo/messages.ts';
import { silentLog } from '../../src/env/log.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';

const SELF = { node: 'A', diskId: 1 };
const ballot = (hlc: number, coordinator = 1) => ({ hlc, coordinator, boot: 1 });
const config = (epoch: number, disks = [1, 2, 3]): PartitionConfig => ({
  partition: 0,
  epoch,
  members: disks.map((diskId) => ({ node: String.fromCharCode(64 + diskId), diskId })),
  attempt: 10 * epoch,
});
const prepare = (hlc: number, coordinator = 1, epoch = 0): ConfigRequest => ({
  kind: 'config-prepare',
  partition: 0,
  epoch,
  ballot: ballot(hlc, coordinator),
});
const accept = (hlc: number, value: ConfigValue, epoch = 0): ConfigRequest => ({
  kind: 'config-accept',
  partition: 0,
  epoch,
  ballot: ballot(hlc),
  value,
});

let store: MemoryStore;
let votes: PartitionVotes;
let newest: PartitionConfig;
let acceptor: ConfigAcceptor;
/** Flushes that wait for the disk. */
let flushes: (() => void)[];
let isSlow: boolean;

/** The process starts on what is on the disk. */
function start(): void {
  votes = new PartitionVotes(SELF, store);
  acceptor = new ConfigAcceptor({ self: 'A', store, log: silentLog, votes, newest: () => newest });
}

/** The answer, if it was given within the call. */
function ask(request: ConfigRequest): Reply | undefined {
  let reply: Reply | undefined;
  acceptor.receive(request, (answer) => {
    reply = answer;
  });
  return reply;
}

beforeEach(() => {
  flushes = [];
  isSlow = false;
  store = new MemoryStore({ flushAfter: (complete) => (isSlow ? flushes.push(complete) : complete()) });
  newest = config(0);
  start();
  votes.bootstrap(config(0));
  votes.open(0);
});

describe('an acceptor of a config register', () => {
  test('promises each ballot once, and none below it', () => {
    expect(ask(prepare(5, 2))).toEqual({ kind: 'config-promise', from: 'A', accepted: undefined });
    for (const lower of [prepare(5, 2), prepare(5, 1), prepare(4, 9)]) {
      expect(ask(lower)).toEqual({ kind: 'rejected', from: 'A', effective: ballot(5, 2) });
    }
    expect(ask(prepare(5, 3))?.kind).toBe('config-promise');
  });

  test('accepts under the ballot that it has promised or a higher one, and tells of it in later promises', () => {
    ask(prepare(5));
    expect(ask(accept(4, { begun: 1 }))?.kind).toBe('rejected');
    expect(ask(accept(5, { begun: 1 }))).toEqual({ kind: 'config-accepted', from: 'A' });
    expect(ask(prepare(6))).toMatchObject({ accepted: { ballot: ballot(5), value: { begun: 1 } } });
    const value = { begun: 1, decided: config(1) };
    expect(ask(accept(7, value))?.kind).toBe('config-accepted');
    expect(ask(prepare(8))).toMatchObject({ accepted: { ballot: ballot(7), value } });
  });

  test('remembers both over a crash, since the disk has them before it answers', () => {
    ask(accept(5, { begun: 1 }));
    ask(prepare(6));
    store.crash();
    start();
    expect(ask(prepare(6))).toEqual({ kind: 'rejected', from: 'A', effective: ballot(6) });
    expect(ask(prepare(7))).toMatchObject({ accepted: { ballot: ballot(5), value: { begun: 1 } } });
  });

  test('answers after the flush', () => {
    isSlow = true;
    const replies: Reply[] = [];
    for (const request of [prepare(1), accept(1, { begun: 1 })])
      acceptor.receive(request, (reply) => replies.push(reply));
    expect(replies).toEqual([]);
    for (const complete of flushes) complete();
    expect(replies.map(({ kind }) => kind)).toEqual(['config-promise', 'config-accepted']);
  });

  test('says so if the disk refuses, and has promised nothing', () => {
    isSlow = true;
    let reply: Reply | undefined;
    acceptor.receive(prepare(9), (answer) => {
      reply = answer;
    });
    store.fail(new Error('the disk is full'));
    expect(reply).toEqual({ kind: 'storage-failed', from: 'A', message: 'the disk is full' });
    isSlow = false;
    expect(ask(prepare(1))?.kind).toBe('config-promise');
  });

  test('goes on when its member is sealed, and acts on nothing that it accepts', () => {
    votes.seal(0);
    expect(ask(accept(1, { begun: 1, decided: config(1, [4, 5, 6]) }))?.kind).toBe('config-accepted');
    expect(votes.votingConfig(0)).toEqual(config(0));
    expect(votes.isSealed(0)).toBe(true);
  });

  test('refuses what is of another epoch, or of none, and brings the newest config that it knows', () => {
    newest = config(3);
    for (const request of [prepare(1, 1, 1), accept(1, { begun: 1 }, 2)]) {
      expect(ask(request)).toEqual({ kind: 'wrong-epoch', from: 'A', config: newest });
    }
    votes.leave(config(3, [4, 5, 6]));
    expect(ask(prepare(1))).toEqual({ kind: 'wrong-epoch', from: 'A', config: newest });
  });

  test('begins each epoch with nothing promised', () => {
    ask(accept(9, { begun: 1, decided: config(1) }));
    votes.begin(config(1));
    votes.open(0);
    expect(ask(prepare(1, 1, 1))).toEqual({ kind: 'config-promise', from: 'A', accepted: undefined });
    expect(ask({ ...accept(1, { begun: 11 }, 1), ballot: NO_BALLOT })?.kind).toBe('rejected');
  });
});
