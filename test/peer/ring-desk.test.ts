import { expect, test } from 'vitest';
import type { CoordinationReply } from '../../src/dynamo/coordinating-node.ts';
import type { CoordinationRequest } from '../../src/dynamo/coordination-messages.ts';
import type { Reply, Request } from '../../src/dynamo/messages.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import { SOUND_RULES } from '../../src/dynamo/rules.ts';
import { silentLog } from '../../src/env/log.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import { SeededRandom } from '../../src/env/random.ts';
import { Peer } from '../../src/peer/peer.ts';
import { coordinationDesk, ringDesk } from '../../src/peer/ring-desk.ts';
import { recordOf } from '../dynamo/epoch-ring.ts';
import { KEY, put } from '../dynamo/three-nodes.ts';
import { ManualClock } from '../parts/manual-clock.ts';

const FAR = `\xff\xff${KEY.slice(2)}`;
const BALLOT = { hlc: 1, coordinator: 2, boot: 1 };
const CONFIG = { partition: 65_535, epoch: 1, attempt: 1, members: [{ node: 'n', diskId: 1 }] };

function openPeer(): Peer {
  let peer: Peer | undefined;
  const settings = {
    id: 'n',
    diskId: 1,
    writeQuorum: 1,
    readQuorum: 1,
    readFrom: 'first',
    readRepair: true,
    antiEntropyIntervalMs: 0,
    ring: [{ ...CONFIG, partition: 0, epoch: 0, attempt: 0 }],
    isBootstrap: true,
    limits: DEFAULT_NODE_LIMITS,
    rules: SOUND_RULES,
  } as const;
  const env = { clock: new ManualClock(), random: new SeededRandom(1), log: silentLog, store: new MemoryStore() };
  Peer.open({ settings, env, transport: { send: () => {} } }, (opened) => {
    peer = opened;
  });
  return peer!;
}

function ask(peer: Peer | undefined, request: Request): Reply[] {
  const replies: Reply[] = [];
  ringDesk(() => peer)('m', request, (reply) => replies.push(reply));
  return replies;
}

const FOREIGN: readonly Request[] = [
  { kind: 'copy', partition: 65_535, epoch: 0, sources: ['m'] },
  { kind: 'stage', next: CONFIG, sources: ['m'] },
  { kind: 'activate', config: CONFIG },
  { kind: 'seal', partition: 1, epoch: 0 },
  { kind: 'config-prepare', partition: 1, epoch: 0, ballot: BALLOT },
  { kind: 'hint', key: FAR, record: recordOf('x', 1), home: 'm' },
  { kind: 'learn', key: '', record: recordOf('x', 1) },
  { kind: 'prepare', key: '\0', ballot: BALLOT, epoch: 0 },
  { kind: 'fetch', epoch: 0, keys: [KEY, FAR] },
];

test.each(FOREIGN)('a $kind about a partition that the ring has not changes nothing, and ends nothing', (request) => {
  const peer = openPeer();
  expect(ask(peer, request)).toEqual([{ kind: 'failed', from: 'n', reason: 'this ring has no such partition' }]);
  expect(peer.node.status().hints).toBe(0);
});

test('what is about the ring reaches the node, and before there is one nobody answers', () => {
  expect(ask(openPeer(), { kind: 'ping' })).toEqual([{ kind: 'pong', from: 'n' }]);
  expect(ask(openPeer(), { kind: 'seal', partition: 0, epoch: 0 })).toEqual([{ kind: 'sealed', from: 'n' }]);
  expect(ask(openPeer(), { kind: 'read-committed', key: KEY })).toHaveLength(1);
  expect(ask(undefined, { kind: 'ping' })).toEqual([]);
});

test('a config of a partition that a view has not is passed over', () => {
  const { view } = openPeer().node;
  expect(view.learnConfig(CONFIG)).toBe(false);
  expect(view.configs).toHaveLength(1);
});

function coordinate(request: CoordinationRequest): CoordinationReply[] {
  const peer = openPeer();
  const answers: CoordinationReply[] = [];
  const desk = coordinationDesk(peer.node.view.partitions, (_from, asked, answer) =>
    peer.door.coordinate(asked, answer),
  );
  desk(
    'm',
    request,
    (answer) => answers.push(answer),
    () => {},
  );
  return answers;
}

const NONE = { requestId: undefined, derivation: undefined, budgetMs: undefined };
const LATEST = { ...NONE, from: 'latest', consistency: 'strict' } as const;
const RANGE = { kind: 'coordinate-range', ...LATEST, localIndex: undefined, order: 'forward', limit: 1 } as const;
const ASKED: readonly CoordinationRequest[] = [
  { kind: 'coordinate-read', ...LATEST, key: FAR },
  { kind: 'coordinate-read', ...LATEST, key: '' },
  { ...RANGE, range: { from: FAR, to: `${FAR}x` } },
  { kind: 'collection-size', requestId: undefined, key: FAR },
  { kind: 'tables-in', partition: 65_535 },
  { kind: 'count-items', tables: [], partitions: [0, 1] },
];

test.each(ASKED)('a $kind about a partition that the ring has not is not begun', (request) => {
  expect(coordinate(request)).toEqual([{ kind: 'unavailable', needed: 1, got: 0 }]);
});

const WRITE = {
  ...NONE,
  kind: 'coordinate-write',
  key: KEY,
  partitionKey: 'user',
  mutation: put('new'),
  consistency: 'dynamo',
  wantsOld: false,
  by: undefined,
  carried: undefined,
} as const;
const ROUND = {
  kind: 'round',
  operation: { coordinator: 1, boot: 1, sequence: 1 },
  attempts: new Map(),
} as const;
const RECORD = { kind: 'record', record: recordOf('new', 1_024) } as const;
const MADE_UP: readonly CoordinationRequest[] = [
  { ...WRITE, carried: ROUND },
  { ...WRITE, consistency: 'strict', carried: RECORD },
  { ...WRITE, wantsOld: true, carried: RECORD },
  { ...WRITE, partitionKey: 'another' },
];

test.each(MADE_UP)('a write that no router can have sent is not begun: it would end the process', (request) => {
  expect(coordinate(request)).toEqual([{ kind: 'unavailable', needed: 1, got: 0 }]);
});

test('a write that makes sense is begun', () => {
  expect(coordinate(WRITE)).not.toEqual([{ kind: 'unavailable', needed: 1, got: 0 }]);
});

test('what a client asks about the ring reaches the node', () => {
  expect(coordinate({ kind: 'tables-in', partition: 0 })).toEqual([{ kind: 'tables', tables: [] }]);
});
