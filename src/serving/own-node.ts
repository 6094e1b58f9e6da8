import type { CoordinationDoor } from '../peer/coordination-door.ts';
import type { Peer } from '../peer/peer.ts';

/** Waits until the node of a process has answered what others have asked of it. @param peer undefined: there is none */
export function drained(peer: Peer | undefined, door: CoordinationDoor): Promise<void> {
  return new Promise((resolve) => {
    if (peer === undefined) resolve();
    else peer.drain((idle) => door.whenIdle(idle), resolve);
  });
}
