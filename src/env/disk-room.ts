import { readFileSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** By how many bytes a file can still grow: limited by the free space of the disk and by what the process may write. */
export function roomFor(path: string): number {
  const { bavail, bfree, bsize } = statfsSync(dirname(path));
  const onDisk = (process.getuid?.() === 0 ? bfree : bavail) * bsize;
  const allowed = largestFile();
  return allowed === Number.POSITIVE_INFINITY ? onDisk : Math.min(onDisk, allowed - statSync(path).size);
}

let largest: number | undefined;

/** The limit of `ulimit -f`, where the system tells it. */
function largestFile(): number {
  largest ??= readLimit();
  return largest;
}

function readLimit(): number {
  try {
    const found = /^Max file size +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return found === null ? Number.POSITIVE_INFINITY : Number(found[1]);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
