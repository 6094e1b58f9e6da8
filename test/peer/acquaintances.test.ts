import { expect, test } from 'vitest';
import type { PeerHello } from '../../src/dynamo/peer-hello.ts';
import { silentLog } from '../../src/env/log.ts';
import type { PeerTransport } from '../../src/env/peer-channel.ts';
import { SeededRandom } from '../../src/env/random.ts';
import { Acquaintances } from '../../src/peer/acquaintances.ts';
import { AddressBook, type AddressEntry } from '../../src/peer/address-book.ts';
import type { PeerRequest, SharedVersions } from '../../src/peer/peer-messages.ts';
import { ManualClock } from '../parts/manual-clock.ts';

const entryOf = (node: string): AddressEntry => ({
  node,
  boot: 1,
  instance: node,
  seq: 1,
  addresses: [{ host: node, port: 1 }],
});

/** The acquaintances of node a, of a ring of a and b, among peers that answer as long as they are in `alive`. */
function acquainted() {
  const asked: PeerRequest[] = [];
  const heard: SharedVersions[] = [];
  const clock = new ManualClock();
  const alive = new Set(['b', 'front-1', 'front-2']);
  const connected = new Set(['front-2']);
  const disconnected: string[] = [];
  const book = new AddressBook(
    [...alive].map(entryOf),
    () => false,
    () => {},
  );
  const transport = {
    isUp: () => false,
    isConnected: (peer: string) => connected.has(peer),
    connect: () => {},
    disconnect: (peer: string) => disconnected.push(peer),
  } as unknown as PeerTransport<PeerHello>;
  const acquaintances = new Acquaintances({
    self: 'a',
    transport,
    port: {
      ask: (to, request, done) => {
        asked.push(request);
        if (alive.has(to))
          done({ kind: 'answered', answer: { kind: 'addresses', entries: [], versions: { rules: 7 } } });
        else done({ kind: 'not-sent', reason: 'down' });
        return { cancel: () => {} };
      },
    },
    book,
    join: [],
    own: () => entryOf('a'),
    members: () => ['a', 'b'],
    versions: () => ({ rules: 5 }),
    onVersions: (versions) => heard.push(versions),
    onRefused: () => {},
    clock,
    random: new SeededRandom(3),
    log: silentLog,
  });
  for (const peer of alive) acquaintances.noteGreeted(peer);
  acquaintances.start();
  return { clock, alive, disconnected, acquaintances, asked, heard };
}

test('a front that has gone is forgotten and dialled no more; nodes of the ring never are', () => {
  const { clock, alive, disconnected, acquaintances } = acquainted();
  expect(acquaintances.present).toEqual(['b', 'front-1', 'front-2']);
  alive.delete('b');
  alive.delete('front-1');
  // This one comes by itself, although nobody reaches it.
  alive.delete('front-2');
  clock.advance(40_000);
  expect(acquaintances.present).toEqual(['b', 'front-1', 'front-2']);
  clock.advance(120_000);
  expect(acquaintances.present).toEqual(['b', 'front-2']);
  expect(disconnected).toEqual(['front-1']);
  alive.add('front-1');
  acquaintances.noteGreeted('front-1');
  expect(acquaintances.present).toEqual(['b', 'front-2', 'front-1']);
  acquaintances.stop();
  expect(clock.timers).toBe(0);
});

test('peers tell each other, by the way, the versions of what all share', () => {
  const { asked, heard, acquaintances } = acquainted();
  expect(asked).toHaveLength(3);
  for (const request of asked) expect(request).toMatchObject({ kind: 'addresses', versions: { rules: 5 } });
  expect(heard).toEqual([{ rules: 7 }, { rules: 7 }, { rules: 7 }]);
  acquaintances.hear({ kind: 'addresses', entries: [], versions: { rules: 8 } });
  expect(heard.at(-1)).toEqual({ rules: 8 });
  acquaintances.stop();
});
