import { existsSync } from 'node:fs';
import { memoryMb } from './process-stats.mjs';
import { createTable } from './requests.mjs';

const CONNECTIONS = 2000;
const LARGE_ITEM_BYTES = 100 * 1024;
const LARGE_CONNECTIONS = 1000;
const SETTLE_MS = 2000;
const SAMPLE_MS = 50;

/**
 * Overloads a server: 2,000 connections that put 400 B items as fast as they are answered, then the same on one key,
 * then 1,000 that put 100 KB items. Runs the usual load before and after each, to see whether the server recovers.
 * Memory is sampled throughout.
 */
export async function overload(server, load, options, progress) {
  const { port, pid } = server;
  const seconds = options.quick ? 1 : 5;
  const usual = {
    port,
    pid,
    itemBytes: options.sizes[0],
    connections: options.connections,
    keyCount: options.keyCount,
  };
  const run = async (label, order) => {
    progress(`${server.name}: ${label}`);
    const sampler = sampleMemory(pid);
    const slice = await load.run(server, { ...usual, seconds, ...order }).catch((error) => ({ failed: error.message }));
    return { label, ...slice, ...sampler.stop() };
  };
  const steps = [await run('before', { workload: 'PutItem' })];
  steps.push(await run(`${CONNECTIONS} connections`, { workload: 'PutItem', connections: CONNECTIONS }));
  steps.push(await run('after', { workload: 'PutItem' }));
  steps.push(
    await run(`${CONNECTIONS} connections, one key`, { workload: 'PutItem', connections: CONNECTIONS, keyCount: 1 }),
  );
  steps.push(await run('after', { workload: 'PutItem' }));
  await createTable(port, LARGE_ITEM_BYTES);
  const large = { workload: 'PutItem', connections: LARGE_CONNECTIONS, itemBytes: LARGE_ITEM_BYTES, keyCount: 100 };
  steps.push(await run(`${LARGE_CONNECTIONS} connections, 100 KB items`, large));
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  steps.push(await run('after', { workload: 'PutItem' }));
  return { server: server.name, steps };
}

function sampleMemory(pid) {
  const peak = { peakMb: 0, peakAnonymousMb: 0 };
  const sample = () => {
    if (!existsSync(`/proc/${pid}`)) return; // overloaded to death; the step says so
    const { now, anonymous } = memoryMb(pid);
    peak.peakMb = Math.max(peak.peakMb, now);
    peak.peakAnonymousMb = Math.max(peak.peakAnonymousMb, anonymous);
  };
  sample();
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    stop() {
      clearInterval(timer);
      sample();
      return peak;
    },
  };
}
