import { readFileSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** How many bytes longer a file can become: what the disk has left, or what the process may write. */
export function roomFor(path: string): number {
  const { bavail, bfree, bsize } = statfsSync(dirname(path));
  const onDisk = (process.getuid?.() === 0 ? bfree : bavail) * bsize;
  const allowed = largestFile();
  return allowed === Number.POSITIVE_INFINITY ? onDisk : Math.min(onDisk, allowed - statSync(path).size);
}

let largest: number | undefined;

/** `ulimit -f`, where the system says so. */
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
