// Loaded into a server (`node --import`): after SIGUSR2 it says how long its event loop stood still at most since the last time,
// and how much memory it had at most.
import { readFileSync } from 'node:fs';

const MIB = 1024 * 1024;
let longestMs = 0;
let mostBytes = 0;
let coreMs = onCoreMs();
let wallMs = performance.now();

/** What the main thread has had of a core: a machine that is shared takes nothing from it. Linux alone tells. */
function onCoreMs() {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

function tick() {
  const [core, wall] = [onCoreMs(), performance.now()];
  longestMs = Math.max(longestMs, Math.min(core - coreMs, wall - wallMs));
  [coreMs, wallMs] = [core, wall];
}

setInterval(tick, 1).unref();
setInterval(() => {
  mostBytes = Math.max(mostBytes, process.memoryUsage.rss());
}, 10).unref();
process.on('SIGUSR2', () => {
  tick();
  process.stdout.write(`loop: ${longestMs.toFixed(1)} ms, ${(mostBytes / MIB).toFixed(0)} MB;\n`);
  [longestMs, mostBytes] = [0, 0];
  [coreMs, wallMs] = [onCoreMs(), performance.now()];
});
