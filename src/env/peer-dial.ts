import type { Clock } from './clock.ts';
import { dial } from './dialer.ts';
import type { Address, Greeting, Lane } from './peer-channel.ts';
import { type ConnectionParts, type Line, PeerConnection } from './peer-connection.ts';
import { DialledGreeting, type Greeted } from './peer-greeting.ts';
import type { PeerSecurity } from './peer-tls.ts';

/** What it takes to reach a peer. */
export interface DialParts<Hello> {
  readonly greeting: Greeting<Hello>;
  readonly security: PeerSecurity;
  readonly clock: Clock;
  readonly connection: Omit<ConnectionParts, 'line'>;
  /** Called with each connection that is made, so that it is looked after. */
  readonly onConnection: (connection: PeerConnection) => void;
}

/**
 * Dials one address and greets who is there, in `dialMs` at most.
 * @param done called once, not within this call, unless it was cancelled. With a welcome it gets the connection, which
 *   it must use or cut within the call
 * @returns cancels it
 */
export function dialAndGreet<Hello>(
  parts: DialParts<Hello>,
  address: Address,
  lane: Lane,
  done: (greeted: Greeted<Hello>, connection: PeerConnection | undefined) => void,
): () => void {
  const { clock, greeting, security } = parts;
  let connection: PeerConnection | undefined;
  let isOver = false;
  const finish = (greeted: Greeted<Hello>) => {
    if (isOver) return;
    isOver = true;
    clock.cancel(timer);
    done(greeted, connection);
    if (greeted.kind !== 'welcome') connection?.cut('not-greeted');
  };
  const stop = (reason: string) => {
    cancelDial();
    finish({ kind: 'failed', reason });
    connection?.cut(reason);
  };
  const timer = clock.after(parts.connection.limits.dialMs, () => stop('no answer in time'));
  const cancelDial = dial(address, security, (line: Line | Error) => {
    if (line instanceof Error) return finish({ kind: 'failed', reason: line.message });
    const hello = new DialledGreeting(greeting, finish);
    connection = new PeerConnection({ ...parts.connection, line }, hello);
    parts.onConnection(connection);
    hello.begin(connection, lane);
  });
  return () => {
    if (isOver) return;
    isOver = true;
    clock.cancel(timer);
    cancelDial();
    connection?.cut('cancelled');
  };
}
