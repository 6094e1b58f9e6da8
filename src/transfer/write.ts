/** A request that puts or deletes one item. */
export interface Write {
  readonly kind: 'write';
  readonly operation: 'PutItem' | 'DeleteItem';
  /** JSON. Values stand in it as the input has them. */
  readonly body: string;
  /** Equal for writes of one item, which are sent one after another. */
  readonly key: string;
}

/** Input that makes no write. */
export interface BadInput {
  readonly kind: 'bad';
  readonly problem: string;
}
