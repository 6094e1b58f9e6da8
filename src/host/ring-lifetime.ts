import { RingError } from '../dynamo/ring-error.ts';

/** Whether a ring is open, and who waits for something in it that would never come once it is closed. */
export class RingLifetime {
  readonly #onClose = new Set<(error: Error) => void>();
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** @throws RingError if the ring is closed */
  checkOpen(): void {
    if (this.#isClosed) throw closedError();
  }

  /**
   * Waits for something that calls back.
   *
   * @throws RingError if the ring is closed, or is closed before the end
   */
  async untilClosed<T>(begin: (done: (value: T) => void) => void): Promise<T> {
    this.checkOpen();
    return new Promise<T>((resolve, reject) => {
      this.#onClose.add(reject);
      begin((value) => {
        this.#onClose.delete(reject);
        resolve(value);
      });
    });
  }

  /** Ends the waiting of all. */
  close(): void {
    this.#isClosed = true;
    for (const reject of this.#onClose) reject(closedError());
    this.#onClose.clear();
  }
}

function closedError(): RingError {
  return new RingError('the ring is closed');
}
