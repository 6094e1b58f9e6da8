import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { SystemClock } from '../../src/env/clock.ts';
import { silentLog } from '../../src/env/log.ts';
import type { Address } from '../../src/env/peer-channel.ts';
import { openPeerDirectory, type PeerDirectory } from '../../src/env/peer-directory.ts';
import { SystemRandom } from '../../src/env/random.ts';
import { PeerNetwork } from '../../src/serving/peer-network.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { eventually } from '../parts/eventually.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };

/** A process on a directory, and what it has ended for. */
async function network(memory: PeerDirectory, join: readonly Address[]) {
  const reasons: string[] = [];
  const created = new PeerNetwork({
    memory,
    role: 'member',
    build: 'test',
    instance: String(Math.random()),
    security: { kind: 'open' },
    join,
    hashOf: (text) => text,
    newClusterId: () => 'none',
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    onFatal: (reason) => reasons.push(reason),
  });
  const address = await created.listen(LOOPBACK, undefined);
  let isStopped = false;
  const stop = async () => {
    if (isStopped) return;
    isStopped = true;
    await created.stop();
    await memory.close();
  };
  onTestFinished(stop);
  return { network: created, address, reasons, stop };
}

test('a disk that was put back is refused, and stays refused however often a process starts on it', async () => {
  const [pathOfA, pathOfB, copy] = [temporaryDirectory(), temporaryDirectory(), temporaryDirectory()];
  const b = await network(await openPeerDirectory(pathOfB, 'b'), []);
  const first = await openPeerDirectory(pathOfA, 'a');
  await first.close();
  cpSync(join(pathOfA, 'dynaring-peer.json'), join(copy, 'dynaring-peer.json'));
  for (let start = 2; start < 4; start++) await (await openPeerDirectory(pathOfA, 'a')).close();
  // B hears of start 4.
  const a = await network(await openPeerDirectory(pathOfA, 'a'), [b.address]);
  await eventually(() => expect(b.network.acquaintances.present).toEqual([a.network.self]));
  expect(a.reasons).toEqual([]);
  await a.stop();

  const old = await network(await openPeerDirectory(copy, 'a'), [b.address]);
  await eventually(() => expect(old.reasons).toHaveLength(1));
  expect(old.reasons[0]).toMatch(/refuse the disk of a: .* old copy of itself: start 2, but it had start 4 before/);
  await old.stop();
  for (let start = 3; start < 6; start++) {
    await expect(openPeerDirectory(copy, 'a')).rejects.toThrow(
      /was refused \(.*old copy of itself.*\): put the newest/,
    );
  }
  const next = await network(await openPeerDirectory(pathOfA, 'a'), [b.address]);
  await eventually(() => expect(next.network.acquaintances.present).toEqual([b.network.self]));
  expect(next.reasons).toEqual([]);
});
