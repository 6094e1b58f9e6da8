/** Room for bytes. */
export interface Room {
  /** Takes `bytes` if they are free; whoever takes them gives them back. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

/** Bytes that requests in flight may hold together. */
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
