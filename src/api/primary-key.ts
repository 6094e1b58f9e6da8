/**
 * A string that holds one byte per UTF-16 unit (`latin1`). Two such strings compare with `<` as their bytes do, hash and
 * index a `Map` fast, and turn into a Buffer by `Buffer.from(text, 'latin1')`.
 */
export type ByteString = string;

/** The types a key attribute may have. */
export type KeyType = 'S' | 'N' | 'B';

export interface KeyAttribute {
  readonly name: string;
  readonly type: KeyType;
}

/** The key schema of a table or an index, resolved against its attribute definitions. */
export interface KeySchema {
  readonly partition: KeyAttribute;
  readonly sort?: KeyAttribute;
}

/**
 * A primary key, encoded: equal keys have equal encodings (1 and 1.0 are one number), and sort keys of one type compare
 * bytewise in DynamoDB's order (S and B by unsigned bytes, N by value).
 */
export interface EncodedKey {
  readonly partitionKey: ByteString;
  /** Empty for a table without a sort key. */
  readonly sortKey: ByteString;
}
