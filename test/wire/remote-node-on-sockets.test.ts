import { describe, expect, test } from 'vitest';
import { Departing, type Departure } from '../../src/api/departure.ts';
import type { AskedNode, CoordinatingNode } from '../../src/dynamo/coordinating-node.ts';
import type { CoordinationRequest } from '../../src/dynamo/coordination-messages.ts';
import type { WriteAnswer } from '../../src/dynamo/registers/handed-back.ts';
import { CoordinationDoor } from '../../src/peer/coordination-door.ts';
import { RemoteNode } from '../../src/wire/remote-node.ts';
import { COORDINATION_CHANNEL } from '../../src/wire/ring-channels.ts';
import { readOf, writeOf } from '../dynamo/coordination-requests.ts';
import { KEY, put } from '../dynamo/three-nodes.ts';
import { eventually } from '../parts/eventually.ts';
import { testPeer } from '../parts/test-peers.ts';

const APPLIED: WriteAnswer = { kind: 'applied', next: undefined, old: undefined };

/** A process with a node that does what the test says, and the way to it from another one. */
async function pair(node: CoordinatingNode) {
  const server = testPeer({ name: 'server' });
  const door = new CoordinationDoor(() => node);
  server.transport.open(COORDINATION_CHANNEL, door.serve);
  const address = await server.transport.listen({ host: '127.0.0.1', port: 0 });
  const asker = testPeer({ name: 'asker', addresses: { server: [address] } });
  const port = asker.transport.open(COORDINATION_CHANNEL, () => {});
  return { server, door, remote: new RemoteNode(port, 'server'), unknown: new RemoteNode(port, 'nobody') };
}

/** What a node replies. */
function ask(node: AskedNode, request: CoordinationRequest, departure?: Departure) {
  return new Promise<{ readonly kind: string }>((resolve) => node.coordinate(request, resolve, departure));
}

const write = writeOf(KEY, put('v'));
const read = readOf(KEY, 'latest');

describe('a node behind a socket', () => {
  test('answers what it is asked', async () => {
    const { remote } = await pair({
      coordinate: (request, reply) => {
        expect(request).toEqual(write);
        (reply as (answer: WriteAnswer) => void)(APPLIED);
      },
    });
    expect(await ask(remote, write)).toEqual(APPLIED);
  });

  test('is not reached where nobody listens', async () => {
    const { unknown } = await pair({ coordinate: () => {} });
    expect(await ask(unknown, write)).toEqual({ kind: 'not-begun', reason: 'not-sent' });
  });

  test('begins nothing once it leaves', async () => {
    const { remote, door } = await pair({ coordinate: () => {} });
    door.leave();
    expect(await ask(remote, write)).toEqual({ kind: 'not-begun', reason: 'leaving' });
  });

  test('is lost with what it has not answered', async () => {
    const asked: string[] = [];
    const { remote, server } = await pair({ coordinate: ({ kind }) => asked.push(kind) });
    const answer = ask(remote, write);
    await eventually(() => expect(asked).toEqual(['coordinate-write']));
    await server.transport.stop();
    expect(await answer).toEqual({ kind: 'lost' });
  });

  test('is told when nobody waits for a read any more', async () => {
    const departures: (Departure | undefined)[] = [];
    const { remote, door } = await pair({ coordinate: (_request, _reply, asker) => departures.push(asker) });
    const asker = new Departing();
    const answers = [ask(remote, read, asker), ask(remote, write, asker)];
    await eventually(() => expect(departures).toHaveLength(2));
    expect(departures[0]!.isGone).toBe(false);
    asker.go();
    expect(await answers[0]).toEqual({ kind: 'lost' });
    await eventually(() => expect(departures[0]!.isGone).toBe(true));
    // The write has nobody to give it up: the node owes an answer.
    expect(departures[1]).toBeUndefined();
    let isIdle = false;
    door.whenIdle(() => {
      isIdle = true;
    });
    expect(isIdle).toBe(false);
  });
});
