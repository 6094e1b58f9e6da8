import { readFileSync } from 'node:fs';

/**
 * The id of this run of the machine, from its boot to its shutdown. A killed process loses nothing that the system had
 * taken; a restarted machine may. Undefined if the system does not tell: only Linux does.
 */
export function machineRun(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}
