import type { Timer } from './clock.ts';
import { type Ask, endAsk } from './open-port.ts';
import { PeerAsking } from './peer-asking.ts';
import type { Address, Lane, NotSent, PeerId, Refusal } from './peer-channel.ts';
import type { PeerConnection } from './peer-connection.ts';
import { type DialParts, dialAndGreet } from './peer-dial.ts';
import type { Greeted } from './peer-greeting.ts';
import type { Random } from './random.ts';

/**
 * The connection of one lane to one peer, which this peer dials, and dials again.
 *
 * `idle`: nobody wants it. `dialling`: one address after the other; what is asked waits. `open`. `waiting`: the last
 * attempt has failed; what is asked is not sent, until the next one.
 */
export class PeerLink<Hello> {
  readonly #parts: LinkParts<Hello>;
  readonly #asking: PeerAsking;
  #state: 'idle' | 'dialling' | 'open' | 'waiting' = 'idle';
  /** Why nothing is sent while it waits. */
  #reason: NotSent = 'down';
  #connection: PeerConnection | undefined;
  #failures = 0;
  #retry: Timer;
  #cancelDial: (() => void) | undefined;

  constructor(parts: LinkParts<Hello>) {
    this.#parts = parts;
    const { limits, counts } = parts.dial.connection;
    this.#asking = new PeerAsking({ lane: parts.lane, limits, counts }, (reason) => this.#ended(reason));
  }

  /** The connection that is open; undefined if none is. */
  get connection(): PeerConnection | undefined {
    return this.#connection;
  }

  /** Whether what is asked now will be written. */
  get isOpen(): boolean {
    return this.#state === 'open' && !this.#asking.isParting;
  }

  /** Whether it neither is connected nor tries to be. */
  get isIdle(): boolean {
    return this.#state === 'idle';
  }

  add(ask: Ask & { payload: Uint8Array }): void {
    this.connect();
    if (this.#state === 'waiting') {
      this.#parts.dial.connection.counts.noteNotSent(this.#reason);
      endAsk(ask, { kind: 'not-sent', reason: this.#reason });
    } else this.#asking.add(ask);
  }

  cancel(ask: Ask): void {
    this.#asking.cancel(ask);
  }

  /** Dials, unless that was tried a moment ago. */
  connect(): void {
    // An address may have become known meanwhile.
    const isNews = this.#state === 'waiting' && this.#reason === 'no-address' && this.#parts.addresses().length > 0;
    if (this.#state === 'idle' || isNews) this.#dial();
  }

  /** The peer was heard of: if the link waits, it waits no longer. */
  hurry(): void {
    this.#failures = 0;
    if (this.#state === 'waiting') this.#dial();
  }

  /** Takes a connection that was dialled without knowing who is there. @returns false if the link has one already */
  adopt(connection: PeerConnection): boolean {
    if (this.#state === 'open') return false;
    this.#stopDialling();
    this.#open(connection);
    return true;
  }

  /** Ends the connection, and does not dial until something is asked. */
  disconnect(reason: NotSent): void {
    this.#stopDialling();
    this.#state = 'idle';
    this.#connection?.finish('disconnected');
    this.#asking.failQueued(reason);
  }

  sweep(nowMs: number): void {
    this.#asking.sweep(nowMs);
  }

  #stopDialling(): void {
    this.#parts.dial.clock.cancel(this.#retry);
    this.#retry = undefined;
    this.#cancelDial?.();
    this.#cancelDial = undefined;
  }

  #dial(): void {
    this.#stopDialling();
    const addresses = this.#parts.addresses();
    if (addresses.length === 0) return this.#wait('no-address');
    this.#state = 'dialling';
    this.#tryNext([...addresses]);
  }

  #tryNext(addresses: Address[]): void {
    const address = addresses.shift();
    if (address === undefined) return this.#wait('down');
    this.#cancelDial = dialAndGreet(this.#parts.dial, address, this.#parts.lane, (greeted, connection) => {
      this.#cancelDial = undefined;
      if (this.#isExpected(greeted, address)) {
        this.#parts.onGreeted(greeted.hello);
        return this.#open(connection!);
      }
      connection?.cut('not-greeted');
      this.#tryNext(addresses);
    });
  }

  #isExpected(greeted: Greeted<Hello>, address: Address): greeted is Extract<Greeted<Hello>, { kind: 'welcome' }> {
    if (greeted.kind === 'welcome') return greeted.peer === this.#parts.peer;
    if (greeted.kind === 'refused' && greeted.byPeer) this.#parts.onRefused(address, greeted.refusal);
    return false;
  }

  #open(connection: PeerConnection): void {
    this.#state = 'open';
    this.#failures = 0;
    this.#connection = connection;
    this.#asking.attach(connection);
    this.#parts.onOpen();
  }

  #ended(reason: string): void {
    this.#connection = undefined;
    const wasWanted = this.#state === 'open';
    this.#parts.onEnded(reason);
    // Not at once: a peer that takes connections and ends them would be dialled without a pause.
    if (wasWanted && this.#state === 'open') this.#wait('down');
  }

  #wait(reason: NotSent): void {
    const { clock, connection } = this.#parts.dial;
    const { firstRedialMs, longestRedialMs } = connection.limits;
    this.#state = 'waiting';
    this.#reason = reason;
    this.#asking.failQueued(reason);
    const pauseMs = Math.min(longestRedialMs, firstRedialMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 20);
    this.#retry = clock.after(pauseMs * (0.5 + this.#parts.random.next()), () => this.#dial());
  }
}

export interface LinkParts<Hello> {
  readonly peer: PeerId;
  readonly lane: Lane;
  readonly dial: DialParts<Hello>;
  readonly random: Random;
  readonly addresses: () => readonly Address[];
  readonly onGreeted: (hello: Hello) => void;
  readonly onOpen: () => void;
  readonly onEnded: (reason: string) => void;
  readonly onRefused: (address: Address, refusal: Refusal) => void;
}
