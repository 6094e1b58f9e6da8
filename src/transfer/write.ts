/** A put or a removal of one item. */
export interface Write {
  readonly kind: 'write';
  readonly operation: 'PutItem' | 'DeleteItem';
  /** JSON of the item, or of its key. Values stand in it as the input has them. */
  readonly json: string;
  /** Equal for writes of one item, which are sent one after another. */
  readonly key: string;
}

/** Input that makes no write. */
export interface BadInput {
  readonly kind: 'bad';
  readonly problem: string;
}
