import { expect, test } from 'vitest';
import type { Membership } from '../../src/peer/membership.ts';
import { peerNodeId } from '../../src/peer/node-name.ts';
import type { Peer, PeerWork } from '../../src/peer/peer.ts';
import { peerDesk } from '../../src/peer/peer-desk.ts';
import { NODE_WORK, type PeerAnswer, type PeerRequest, type WorkReport } from '../../src/peer/peer-messages.ts';

/** A desk whose node has begun, and not ended, what is in `works`; and whose goal is written when `admitted` are called. */
function desk() {
  const works: ((report: WorkReport) => void)[] = [];
  const admitted: (() => void)[] = [];
  const peer = {
    perform: (_work: PeerWork<WorkReport>, done: (report: WorkReport) => void) => works.push(done),
  } as unknown as Peer;
  const membership = {
    admit: () => new Promise<void>((resolve) => admitted.push(resolve)),
  } as unknown as Membership;
  const none = () => undefined;
  const serve = peerDesk({
    self: 'a',
    founder: none,
    acquaintances: none,
    view: none,
    peer: () => peer,
    membership: () => membership,
    nowMs: () => 0,
    versions: () => ({}),
    rules: () => expect.fail('no rules'),
    faults: none,
    traceOf: async () => undefined,
    users: () => expect.fail('no users'),
    news: () => expect.fail('no news'),
  });
  const ask = (request: PeerRequest, from = 'b') => {
    const answers: PeerAnswer[] = [];
    serve(
      from,
      request,
      (answer) => answers.push(answer),
      () => {},
    );
    return answers;
  };
  return { ask, works, admitted };
}

const OVERLOADED = [{ kind: 'cannot', reason: 'overloaded' }];

test('a node does so much at once of what others ask for; further ones are told so, until one has ended', () => {
  const { ask, works } = desk();
  const asked = Array.from({ length: 1_000 }, (_, i) => ask({ kind: 'work', work: NODE_WORK[i % NODE_WORK.length]! }));
  expect(works).toHaveLength(8);
  expect(asked.slice(0, 8)).toEqual(Array.from({ length: 8 }, () => []));
  expect(asked.slice(8)).toEqual(Array.from({ length: 992 }, () => OVERLOADED));
  works[3]!({ partitions: 5 });
  expect(asked[3]).toEqual([{ kind: 'done', report: { partitions: 5 } }]);
  expect(ask({ kind: 'work', work: 'repair' })).toEqual([]);
  expect(ask({ kind: 'work', work: 'repair' })).toEqual(OVERLOADED);
});

test('disks that ask to be taken in wait for their turn like other work', async () => {
  const { ask, works, admitted } = desk();
  const from = peerNodeId('n', 1);
  for (let i = 0; i < 8; i++) expect(ask({ kind: 'admit', name: 'n', diskId: 1 }, from)).toEqual([]);
  expect(ask({ kind: 'admit', name: 'n', diskId: 1 }, from)).toEqual(OVERLOADED);
  expect(ask({ kind: 'work', work: 'settle' })).toEqual(OVERLOADED);
  admitted[0]!();
  await new Promise(setImmediate);
  expect(ask({ kind: 'work', work: 'settle' })).toEqual([]);
  expect(works).toHaveLength(1);
});
