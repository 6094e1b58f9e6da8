import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const TICK_US = 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** User and system time of a process, its threads and its descendants, in microseconds (the kernel counts ticks of 10 ms). */
export function cpuTimeUs(pid) {
  return processTree(pid).reduce((sum, each) => sum + cpuTicks(each) * TICK_US, 0);
}

/**
 * Resident memory of a process and its descendants in MB: now, the part of it that no file backs (the kernel can drop
 * pages of a memory-mapped store), and the peak since the start.
 */
export function memoryMb(pid) {
  const total = { now: 0, anonymous: 0, peak: 0 };
  for (const each of processTree(pid)) {
    const status = readFileSync(`/proc/${each}/status`, 'utf8');
    const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024;
    total.now += field('VmRSS');
    total.anonymous += field('RssAnon');
    total.peak += field('VmHWM');
  }
  return total;
}

function cpuTicks(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The command's name may contain spaces and parentheses, so fields are counted from the last parenthesis. See
  // proc(5): utime is field 14, then stime, then cutime and cstime of children that have ended.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}

function processTree(pid) {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) => childrenOf(pid, thread));
  return [pid, ...children.flatMap(processTree)];
}

function childrenOf(pid, thread) {
  try {
    const text = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return []; // the thread has ended meanwhile, or the kernel does not list children
  }
}
