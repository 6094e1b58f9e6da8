import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { linesOf, whenGone } from '../env/start-child.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { eventually } from '../parts/eventually.ts';
import { said, testPeer } from '../parts/test-peers.ts';

const PROCESS = fileURLToPath(new URL('transport-process.ts', import.meta.url));

/** Longer than the other process takes connections for that it has not read from. */
const STOPPED_MS = 1_500;

/** A process with peer b, which has begun to listen, and a peer of this process that can ask it. */
async function pair() {
  const path = join(temporaryDirectory(), 'peer');
  const start = async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', PROCESS, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const lines = linesOf(child);
    expect((await lines.next()).value).toBe('listening');
    return { child, lines };
  };
  return { start, a: testPeer({ name: 'a', addresses: { b: [{ path }] } }) };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await whenGone(child);
}

describe('two processes', () => {
  test('one that is killed loses what it was asked, and is reached again when it is back', async () => {
    const { start, a } = await pair();
    const { child, lines } = await start();
    const held = a.ask('b', 'hold');
    expect((await lines.next()).value).toBe('hold');
    await kill(child);
    expect(said(await held)).toBe('lost: connection');
    expect(a.transport.figures().cut.silent).toBeUndefined();
    expect(said(await a.ask('b', 'nobody there'))).toBe('not-sent: down');
    await start();
    await eventually(async () => expect(said(await a.ask('b', 'again'))).toBe('again'));
  });

  test('one that was stopped for long does not serve what it was asked before', async () => {
    const { start, a } = await pair();
    const { child, lines } = await start();
    expect(said(await a.ask('b', 'before'))).toBe('before');
    child.kill('SIGSTOP');
    const late = a.ask('b', 'too late');
    // What was written is in the buffers of the system by the time that this side gives up.
    expect(said(await late)).toBe('lost: connection');
    await pause(STOPPED_MS);
    child.kill('SIGCONT');
    await eventually(async () => expect(said(await a.ask('b', 'cut?'))).toBe('stalled'));
    expect((await lines.next()).value).toBe('before');
    expect((await lines.next()).value).toBe('cut?');
  });
});
