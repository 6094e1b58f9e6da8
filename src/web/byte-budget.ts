/** Bytes that requests in flight may hold together. */
export class ByteBudget {
  #free: number;

  constructor(limitBytes: number) {
    this.#free = limitBytes;
  }

  /** Takes `bytes` if they are free; whoever takes them gives them back. */
  take(bytes: number): boolean {
    if (bytes > this.#free) return false;
    this.#free -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#free += bytes;
  }
}
