/** Where all chance comes from, so that a simulation replays it from a seed. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}
