import {
  LARGE_READ_BYTES,
  READ_BYTES_HELD,
  READ_BYTES_PER_TURN,
  READS_AT_ONCE,
  READS_PER_TURN,
  TURNS_OF_OTHERS,
} from './router-limits.ts';

/** A request that reads many items. Requests are served in the order of arrival, so that they end and make room. */
export interface ManyReads {
  readonly waiting: (() => void)[];
  /** Bytes read so far. */
  bytes: number;
}

/**
 * Bounds the memory that requests for many items use together, and the work for them before other requests have their
 * turn.
 *
 * Without it, a hundred batches of 16 MB would be read, encoded and held in one turn of the event loop: all nodes are
 * in this process, so reads may end within the turn.
 */
export class ReadRoom {
  readonly #pause: () => Promise<void>;
  /** Reads that have begun and not ended. The cluster may take long for them. */
  #reading = 0;
  /** How many of them began in this turn of the event loop, or since the last turn that was counted. */
  #begun = 0;
  /** Bytes read since then. */
  #bytes = 0;
  /** Bytes held by requests that have not ended. */
  #held = 0;
  #isPausing = false;
  #waiting = 0;
  readonly #requests = new Set<ManyReads>();
  #turns: Promise<void> = Promise.resolve();

  /** @param pause gives up the event loop until other requests have had their turn */
  constructor(pause: () => Promise<void>) {
    // A write takes several turns of the event loop, with disk writes between them. It must not wait in each of them.
    this.#pause = async () => {
      for (let turns = 0; turns < TURNS_OF_OTHERS; turns++) await pause();
    };
  }

  /** Begins a request. Every request has to be ended by `end`. */
  begin(): ManyReads {
    const request = { waiting: [], bytes: 0 };
    this.#requests.add(request);
    return request;
  }

  /**
   * Ends a request. If it has read many bytes, this resolves in a turn of its own, in which the answer can be encoded.
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

  /** Waits for a turn to read. Every turn has to be given back by `give`. @returns undefined if it may read now */
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

  /** Gives a turn back. @param bytes how many were read in it */
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
    // The first request goes on however much is held, so that there is always one that ends.
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
