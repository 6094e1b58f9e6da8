import { ApiError } from './errors.ts';

/**
 * How the service words faults of values, which differs from operation to operation (recorded 2026-09-20 to 2026-10-09,
 * eu-west-2 and us-east-1): some still answer in an older form. This is the one table of it; who checks values for an
 * operation passes the operation's entry on.
 */
export interface ValueTexts {
  /** Of a set in which a member stands twice. @param members as they were sent */
  readonly duplicates: (type: 'SS' | 'NS' | 'BS', members: readonly string[]) => ApiError;
  /** Of `{"N": ""}`. */
  readonly emptyNumber: string;
  /**
   * Bits that a power of ten may have before the text is no number any more. With 32 the service adds up in 32 bits too, and
   * a sum that does not fit wraps around: `1e2147483647` underflows.
   */
  readonly exponentBits: 32 | 64;
  /** Whether the refusal of a value in `ExpressionAttributeValues` says which one it is. */
  readonly namesPlaceholder: boolean;
  /** What is wrong with the key of an item that is put is said of the attribute (`told`), or of the key as a whole. */
  readonly keyFaultsOfPut: 'told' | 'schema';
}

const NO_NUMBER = 'The parameter cannot be converted to a numeric value';

const DEFAULT: ValueTexts = {
  duplicates: quotedDuplicates,
  emptyNumber: `${NO_NUMBER}: `,
  exponentBits: 64,
  namesPlaceholder: false,
  keyFaultsOfPut: 'told',
};

export const VALUE_TEXTS = {
  default: DEFAULT,
  BatchWriteItem: {
    duplicates: plainDuplicates,
    emptyNumber: NO_NUMBER,
    exponentBits: 32,
    namesPlaceholder: false,
    keyFaultsOfPut: 'schema',
  },
  Scan: { ...DEFAULT, duplicates: plainDuplicates, namesPlaceholder: true },
} as const satisfies Record<string, ValueTexts>;

function quotedDuplicates(type: 'SS' | 'NS' | 'BS', members: readonly string[]): ApiError {
  switch (type) {
    case 'SS':
      return duplicates(`Input collection [${[...members].sort().map(quoted).join(', ')}] contains duplicates.`);
    case 'NS':
      return duplicates('Input collection contains duplicates.');
    case 'BS':
      return duplicates(`Input collection [${members.map(quoted).join(',')}]of type BS contains duplicates.`);
  }
}

function plainDuplicates(type: 'SS' | 'NS' | 'BS', members: readonly string[]): ApiError {
  switch (type) {
    case 'SS':
      return duplicates(`Input collection [${members.join(', ')}] contains duplicates.`);
    case 'NS':
      return ApiError.validation('Input collection contains duplicates');
    case 'BS':
      return duplicates(`Input collection [${members.join(', ')}]of type BS contains duplicates.`);
  }
}

function quoted(member: string): string {
  return `"${member}"`;
}

function duplicates(text: string): ApiError {
  return ApiError.validation(`One or more parameter values were invalid: ${text}`);
}
