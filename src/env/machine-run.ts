import { readFileSync } from 'node:fs';

/**
 * What tells this run of the machine from those before and after it: a killed process loses nothing that the system had
 * taken, a restarted machine may. Undefined where the system does not say, which is anywhere but on Linux.
 */
export function machineRun(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}
