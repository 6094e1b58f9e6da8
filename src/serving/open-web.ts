import type { Clock, Timer } from '../env/clock.ts';
import { type Listener, type Listening, listen } from '../web/listen.ts';
import type { Releases } from './releases.ts';

/** Where a server listens; with port 0 in the settings, the port that the system chose. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

interface OpenWebParts {
  readonly hosts: readonly string[];
  /** How long requests under way may take once the server stops, in ms. */
  readonly graceMs: number;
  readonly clock: Clock;
  readonly releases: Releases;
}

/**
 * Listens on one port of all hosts, until the releases run.
 *
 * @throws the system's error if an address cannot be listened on
 */
export async function openWeb(
  listener: Listener,
  port: number,
  { hosts, graceMs, clock, releases }: OpenWebParts,
): Promise<readonly Address[]> {
  const listening = await listen(listener, hosts, port);
  releases.add(() => closeWithin(graceMs, clock, listening));
  return listening.addresses;
}

/** Stops listening. Requests under way get `graceMs`. */
function closeWithin(graceMs: number, clock: Clock, listening: Listening): Promise<void> {
  let timer: Timer;
  const grace = new Promise<void>((resolve) => {
    timer = clock.after(graceMs, resolve);
  });
  return listening.close(grace).finally(() => clock.cancel(timer));
}
