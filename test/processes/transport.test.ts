import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { PeerLimits } from '../../src/env/peer-limits.ts';
import { linesOf, whenGone } from '../env/start-child.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { eventually } from '../parts/eventually.ts';
import { said, testPeer } from '../parts/test-peers.ts';

const PROCESS = fileURLToPath(new URL('transport-process.ts', import.meta.url));

/** Longer than the other process takes connections for that it has not read from. */
const STOPPED_MS = 1_500;

/** A process with peer b, which has begun to listen, and a peer of this process that can ask it. */
async function pair(limits: Partial<PeerLimits> = {}) {
  const path = join(temporaryDirectory(), 'peer');
  const start = async () => {
    const args = ['--import', 'tsx', PROCESS, path, JSON.stringify(limits)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
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
    const { start, a } = await pair({ stallMs: 400 });
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

  test('one that was stopped serves nothing that its asker has given up, and all that is waited for', async () => {
    const { start, a } = await pair({ doubtMs: 400 });
    const { child, lines } = await start();
    const patient = testPeer({ name: 'c', addresses: a.addresses, limits: { silentTicks: 1_000_000 } });
    expect(said(await a.ask('b', 'before'))).toBe('before');
    expect(said(await patient.ask('b', 'before'))).toBe('before');
    child.kill('SIGSTOP');
    const waited = patient.ask('b', 'waited for');
    expect(said(await a.ask('b', 'given up'))).toBe('lost: connection');
    await pause(STOPPED_MS);
    child.kill('SIGCONT');
    expect(said(await waited)).toBe('waited for');
    await eventually(async () => expect(said(await a.ask('b', 'after'))).toBe('after'));
    const heard: unknown[] = [];
    for (let count = 0; count < 4; count++) heard.push((await lines.next()).value);
    expect(heard).toEqual(['before', 'before', 'waited for', 'after']);
  });
});
