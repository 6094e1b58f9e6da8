import { ApiError } from './errors.ts';

/**
 * The service's words for faults of values. They differ between operations: some still answer in an older form
 * (recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1). This is the only table of them: code that checks values
 * for an operation passes the entry of the operation on.
 */
export interface ValueTexts {
  /** The error for a set with equal members. @param members as they were sent */
  readonly duplicates: (type: 'SS' | 'NS' | 'BS', members: readonly string[]) => ApiError;
  /** The text for `{"N": ""}`. */
  readonly emptyNumber: string;
  /**
   * Bits of the largest power of ten in a valid number. With 32, the service also adds in 32 bits, and a sum that does
   * not fit wraps around: `1e2147483647` underflows.
   */
  readonly exponentBits: 32 | 64;
  /** Whether the error for a value in `ExpressionAttributeValues` names the value. */
  readonly namesPlaceholder: boolean;
  /**
   * Whether the error for the key of an item that is put is about the attribute (`told`), or about the key as a whole.
   */
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
  TransactWriteItems: { ...DEFAULT, duplicates: plainDuplicates, namesPlaceholder: true },
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
