/** A budget of bytes that can be reserved. */
export interface Room {
  /** Reserves `bytes` if they are free. The caller gives them back. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

/** The number of bytes that all requests in flight may hold together. */
export class ByteBudget implements Room {
  #free: number;

  constructor(limitBytes: number) {
    this.#free = limitBytes;
  }

  take(bytes: number): boolean {
    if (bytes > this.#free) return false;
    this.#free -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#free += bytes;
  }
}
