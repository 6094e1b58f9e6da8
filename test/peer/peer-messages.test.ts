import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { peerNodeId } from '../../src/peer/node-name.ts';
import { NODE_WORK, PEER_CHANNEL, type PeerAnswer, type PeerRequest } from '../../src/peer/peer-messages.ts';

const { requests } = PEER_CHANNEL;
const answers = PEER_CHANNEL.answersTo({ kind: 'configs', epochs: [] });
const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value));

const CLUSTER = {
  clusterId: '6f3b8a52-8f6e-4f5f-8d38-0b8f8d9d4a11',
  partitions: 8,
  replication: 2,
  layout: 1,
  members: [
    { name: 'a', diskId: 7 },
    { name: 'b', diskId: 8 },
  ],
};
const ENTRY = {
  node: peerNodeId('a', 7),
  boot: 3,
  instance: 'i',
  seq: 1,
  addresses: [{ host: '10.0.0.1', port: 8100 }, { path: '/run/a.sock' }],
};
const REQUESTS: readonly PeerRequest[] = [
  { kind: 'founding', about: undefined },
  { kind: 'founding', about: CLUSTER.clusterId },
  { kind: 'bind', cluster: CLUSTER },
  { kind: 'commit', cluster: CLUSTER },
  { kind: 'addresses', entries: [ENTRY], versions: { rules: 3 } },
  { kind: 'rules', version: 3, isNew: true },
  { kind: 'rules-used' },
  { kind: 'rest-lags', forMs: 500 },
  { kind: 'link', to: peerNodeId('a', 7), fault: { cut: true, delayMs: 5, dropRate: 0.5 } },
  { kind: 'link', to: peerNodeId('a', 7), fault: undefined },
  { kind: 'pause', isPaused: true },
  { kind: 'tables-used', uses: [{ router: peerNodeId('a', 7), ageMs: 500, tables: ['\0\x01\xff'] }] },
  { kind: 'configs', epochs: [0, 3] },
  { kind: 'replica', key: '\0\x01\xffk' },
  { kind: 'state' },
  { kind: 'trace', requestId: 'F4ZK', isForOther: true },
  ...NODE_WORK.map((work) => ({ kind: 'work', work }) as const),
];
const RIGHT = { founders: ['a', 'b'], partitions: 8, replication: 2 };
const DISK = { name: 'a', diskId: 7, layout: 1, givenUp: undefined } as const;
const ANSWERS: readonly PeerAnswer[] = [
  { kind: 'founding', answer: { ...DISK, state: 'new', right: RIGHT, cluster: undefined } },
  { kind: 'founding', answer: { ...DISK, state: 'bound', right: RIGHT, cluster: CLUSTER, givenUp: 'x' } },
  { kind: 'addresses', entries: [ENTRY], versions: { rules: undefined } },
  { kind: 'rules-used', rules: [{ process: peerNodeId('a', 7), id: 'f1', fired: 2, underWay: 0 }] },
  {
    kind: 'configs',
    configs: [{ partition: 1, epoch: 2, attempt: 3, members: [{ node: peerNodeId('a', 7), diskId: 7 }] }],
  },
  { kind: 'replica', replica: { node: peerNodeId('a', 7), isKnown: false } },
  {
    kind: 'replica',
    replica: {
      node: peerNodeId('a', 7),
      isKnown: true,
      committedAtMs: 1.5,
      isTombstone: false,
      isUnsettled: true,
      isDamaged: false,
      held: 2,
    },
  },
  {
    kind: 'state',
    state: {
      votes: [0, -1, 7],
      isPaused: true,
      hints: 3,
      suspects: [peerNodeId('b', 8)],
      moving: 2,
      stuck: [{ partition: 1, reason: 'nobody is up' }],
      clockMs: 1.5,
    },
  },
  {
    kind: 'state',
    state: { votes: undefined, isPaused: false, hints: 0, suspects: [], moving: undefined, stuck: [], clockMs: 0 },
  },
  { kind: 'trace', json: '{"events":[]}' },
  { kind: 'trace', json: undefined },
  { kind: 'done', report: { partitions: 3, ms: 1.25 } },
  { kind: 'cannot', reason: 'why' },
];

describe('messages between peers', () => {
  test.each(REQUESTS)('a request comes as it was sent: %j', (request) =>
    expect(requests.decode(requests.encode(request))).toEqual(request),
  );

  test.each(ANSWERS)('an answer comes as it was sent: %j', (answer) =>
    expect(answers.decode(answers.encode(answer))).toEqual(answer),
  );

  test('with members of a newer release are read without them; a newer kind is told apart', () => {
    expect(requests.decode(bytesOf({ kind: 'configs', epochs: [1], colour: 'red' }))).toEqual({
      kind: 'configs',
      epochs: [1],
    });
    let thrown: unknown;
    try {
      requests.decode(bytesOf({ kind: 'dance' }));
    } catch (error) {
      thrown = error;
    }
    expect(PEER_CHANNEL.isUnsupported(thrown)).toBe(true);
  });

  test.each([
    { kind: 'bind', cluster: { ...CLUSTER, members: [...CLUSTER.members].reverse() } },
    { kind: 'bind', cluster: { ...CLUSTER, partitions: 1e9 } },
    { kind: 'bind', cluster: { ...CLUSTER, replication: 3 } },
    { kind: 'bind', cluster: { ...CLUSTER, members: [{ name: '../a', diskId: 7 }] } },
    { kind: 'addresses', entries: Array(301).fill(ENTRY) },
    { kind: 'addresses', entries: [{ ...ENTRY, addresses: Array(9).fill({ path: '/a' }) }] },
    { kind: 'addresses', entries: [{ ...ENTRY, addresses: [{ host: 'h', port: 0 }] }] },
    { kind: 'addresses', entries: [{ ...ENTRY, node: 'a' }] },
    { kind: 'configs', epochs: [-1] },
    { kind: 'work', work: 'constructor' },
    { kind: 'replica', key: 7 },
  ])('that make no sense are refused: %j', (document) => {
    expect(() => requests.decode(bytesOf(document))).toThrow('not a message between peers');
  });

  test('made by a stranger are read, or refused with an error, and never bring anything down', () => {
    const documents = fc.oneof(
      fc.json(),
      fc
        .constantFrom(...REQUESTS, ...ANSWERS)
        .chain((message) =>
          fc
            .tuple(fc.constantFrom(...Object.keys(message)), fc.jsonValue())
            .map(([member, value]) => JSON.stringify({ ...message, [member]: value })),
        ),
    );
    fc.assert(
      fc.property(documents, (text) => {
        for (const codec of [requests, answers]) {
          try {
            codec.decode(Buffer.from(text));
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
            expect(error).not.toBeInstanceOf(TypeError);
          }
        }
      }),
    );
  });
});
