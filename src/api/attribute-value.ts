/**
 * The service's typed values, in the shape they have on the wire (API reference, `AttributeValue`).
 * `B` and the members of `BS` stay base64 text; `N` is text of up to 38 significant digits.
 */
export type AttributeValue =
  | { S: string }
  | { N: string }
  | { B: string }
  | { SS: string[] }
  | { NS: string[] }
  | { BS: string[] }
  | { M: AttributeMap }
  | { L: AttributeValue[] }
  | { NULL: boolean }
  | { BOOL: boolean };

/**
 * An item, a key, or the content of an `M`.
 *
 * Hazard: attribute names are chosen by clients, so `__proto__` and `constructor` occur. `JSON.parse` makes them own
 * properties; read them with `Object.hasOwn`, never copy them by plain assignment.
 */
export type AttributeMap = Record<string, AttributeValue>;

/** The type descriptors of `AttributeValue`, as they stand on the wire. */
export type AttributeType = 'S' | 'N' | 'B' | 'SS' | 'NS' | 'BS' | 'M' | 'L' | 'NULL' | 'BOOL';
