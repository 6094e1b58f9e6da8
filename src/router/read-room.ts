import {
  LARGE_READ_BYTES,
  READ_BYTES_HELD,
  READ_BYTES_PER_TURN,
  READS_AT_ONCE,
  READS_PER_TURN,
  TURNS_OF_OTHERS,
} from './router-limits.ts';

/** A request that reads many items: those that came first are served first, so that they end and make room. */
export interface ManyReads {
  readonly waiting: (() => void)[];
  /** Read so far. */
  bytes: number;
}

/**
 * Bounds what requests that read many items have in memory together, and what is done for them before others have their
 * turn.
 *
 * All nodes live in this process, so that reads may end without the event loop having been round: a hundred batches of
 * 16 MB would be read, encoded and kept in one go.
 */
export class ReadRoom {
  readonly #pause: () => Promise<void>;
  /** Reads that are begun and not at their end; the cluster may take its time for them. */
  #reading = 0;
  /** Of those, what was begun in this turn of the event loop, or since the last that was counted. */
  #begun = 0;
  /** Read since then. */
  #bytes = 0;
  /** Of requests that have not handed over what they have read. */
  #held = 0;
  #isPausing = false;
  #waiting = 0;
  readonly #requests = new Set<ManyReads>();
  #turns: Promise<void> = Promise.resolve();

  /** @param pause gives up the event loop until others have had their turn */
  constructor(pause: () => Promise<void>) {
    // A write takes several turns of the event loop, with the disk between; it must not wait in each of them.
    this.#pause = async () => {
      for (let turns = 0; turns < TURNS_OF_OTHERS; turns++) await pause();
    };
  }

  /** A request begins. It has to be ended. */
  begin(): ManyReads {
    const request = { waiting: [], bytes: 0 };
    this.#requests.add(request);
    return request;
  }

  /**
   * It has read all that it wants. With many bytes this resolves in a turn of its own, for what is to be made of them.
   */
  end(request: ManyReads): Promise<void> | undefined {
    this.#requests.delete(request);
    if (request.bytes < LARGE_READ_BYTES) {
      this.#held -= request.bytes;
      this.#serve();
      return undefined;
    }
    this.#turns = this.#turns.then(this.#pause).then(() => {
      this.#held -= request.bytes;
      this.#serve();
    });
    return this.#turns;
  }

  /** Waits for its turn to read. @returns undefined: it is its turn now. Each turn has to be given back. */
  take(request: ManyReads): Promise<void> | undefined {
    if (this.#mayRead && this.#held < READ_BYTES_HELD) {
      this.#begin();
      return undefined;
    }
    return new Promise((resolve) => {
      request.waiting.push(resolve);
      this.#waiting++;
      this.#serve();
    });
  }

  /** @param bytes that were read */
  give(request: ManyReads, bytes: number): void {
    this.#reading--;
    if (this.#begun > 0) this.#begun--;
    this.#bytes += bytes;
    this.#held += bytes;
    request.bytes += bytes;
    this.#serve();
  }

  get #mayRead(): boolean {
    return this.#reading < READS_AT_ONCE && !this.#isPausing && !this.#isTurnOver;
  }

  get #isTurnOver(): boolean {
    return this.#begun >= READS_PER_TURN || this.#bytes >= READ_BYTES_PER_TURN;
  }

  #begin(): void {
    this.#reading++;
    this.#begun++;
  }

  #serve(): void {
    if (this.#waiting === 0) return;
    // The first goes on whatever is held, so that there is always one that comes to its end.
    for (const { waiting } of this.#requests) {
      while (waiting.length > 0 && this.#mayRead) {
        this.#begin();
        this.#waiting--;
        waiting.shift()!();
      }
      if (this.#held >= READ_BYTES_HELD || !this.#mayRead) break;
    }
    if (this.#waiting > 0 && this.#isTurnOver && !this.#isPausing) this.#rest();
  }

  #rest(): void {
    this.#isPausing = true;
    this.#pause().then(() => {
      this.#isPausing = false;
      this.#begun = 0;
      this.#bytes = 0;
      this.#serve();
    });
  }
}
