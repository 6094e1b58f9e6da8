/** A put or a removal of one item. */
export interface Write {
  readonly kind: 'write';
  readonly operation: 'PutItem' | 'DeleteItem';
  /** JSON of the item, or of its key. Values are written exactly as in the input. */
  readonly json: string;
  /** Equal for writes of the same item, which are sent one after another. */
  readonly key: string;
}

/** Input from which no write can be made. */
export interface BadInput {
  readonly kind: 'bad';
  readonly problem: string;
}
