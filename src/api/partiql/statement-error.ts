import { ApiError } from '../errors.ts';

/** Where a part of a statement begins and ends in its text, in UTF-16 units. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

/**
 * The service's error for a statement that is no PartiQL. The details are those of partiql-lang-kotlin's parser, on which
 * the service's is built: `Expected data manipulation` (awsdocs/aws-sdk-for-javascript-v3 issue 98) and `Unexpected keyword`
 * (PyDynamoDB issue 26) were recorded where that parser has them.
 * @param detail empty for text that is not even a sequence of tokens
 */
export function malformed(detail: string): ApiError {
  return ApiError.validation(`Statement wasn't well formed, can't be processed: ${detail}`);
}

/**
 * A place as the service's messages give it: line, column and length, all counted from 1 (`Unsupported clause: LIMIT at
 * 1:77:1`, recorded by several users).
 */
export function placeText(text: string, { start, end }: Place): string {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf('\n'); at >= 0 && at < start; at = text.indexOf('\n', at + 1)) {
    line++;
    lineStart = at + 1;
  }
  return `${line}:${start - lineStart + 1}:${end - start}`;
}

/** The error for a well-formed statement with a part that is not supported. */
export function unsupportedAt(text: string, place: Place, problem: string): ApiError {
  return ApiError.validation(`${problem} at ${placeText(text, place)}`);
}
