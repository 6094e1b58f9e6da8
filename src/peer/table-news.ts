import type { NodeId } from '../dynamo/ring.ts';
import type { Clock } from '../env/clock.ts';
import type { Port } from '../env/peer-channel.ts';
import type { PeerAnswer, PeerRequest } from './peer-messages.ts';

/** A name within a namespace. */
interface Place {
  readonly namespace: string;
  readonly name: string;
}

interface TableNewsParts {
  readonly port: Pick<Port<PeerRequest, PeerAnswer>, 'ask'>;
  /** The peers that may be there, fronts too. */
  readonly present: () => readonly NodeId[];
  readonly clock: Clock;
}

/** How long a change waits for other routers, in ms: they find out by themselves too (docs/protocol.md section 9.6). */
const PATIENCE_MS = 200;

/** Tells the routers of other processes which definitions of tables have changed, and hears that of them. */
export class TableNews {
  readonly #parts: TableNewsParts;
  #hear: (place: Place) => void = () => {};

  constructor(parts: TableNewsParts) {
    this.#parts = parts;
  }

  /** @param hear called for each change that another router tells of */
  listen(hear: (place: Place) => void): void {
    this.#hear = hear;
  }

  /** Another router has changed a definition. */
  heard(place: Place): void {
    this.#hear(place);
  }

  /** @returns whether all peers that are there have noted it */
  tellChanged({ namespace, name }: Place): Promise<boolean> {
    const { port, present, clock } = this.#parts;
    const peers = present();
    let noted = 0;
    let owed = peers.length;
    return new Promise((resolve) => {
      const end = () => {
        clock.cancel(timer);
        resolve(noted === peers.length);
      };
      const timer = clock.after(PATIENCE_MS, end);
      for (const peer of peers) {
        port.ask(peer, { kind: 'table-changed', namespace, name }, (outcome) => {
          if (outcome.kind === 'answered' && outcome.answer.kind === 'noted') noted++;
          if (--owed === 0) end();
        });
      }
      if (owed === 0) end();
    });
  }

  elapsedMs(): number {
    return this.#parts.clock.elapsedMs();
  }

  nowMs(): number {
    return this.#parts.clock.now();
  }
}
