import { ApiError } from './errors.ts';
import { VALUE_TEXTS, type ValueTexts } from './value-texts.ts';

/**
 * The service's numbers: up to 38 significant digits, magnitudes 1E-130 .. 9.99..E+125 (developer guide, "Numbers").
 */
export const MAX_DIGITS = 38;
const MIN_EXPONENT = -130;
const MAX_EXPONENT = 125;

const PLUS = 0x2b;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

/**
 * A number in scientific form: `d.ddd * 10^exponent`. `digits` has no leading and no trailing zeros. For zero, `digits`
 * is empty, `negative` false and `exponent` 0: so each value has one form.
 */
interface Decimal {
  readonly negative: boolean;
  readonly digits: string;
  readonly exponent: number;
}

/**
 * The text that the service returns for a number: plain notation without exponent over the whole range, no superfluous
 * zeros, no `-0`. Two numbers are equal exactly if their canonical texts are.
 *
 * @param texts the operation's words for faults of values
 * @throws ApiError (ValidationException) if `text` is not a number, or is out of the service's range
 */
export function normaliseNumber(text: string, texts: ValueTexts = VALUE_TEXTS.default): string {
  return isCanonicalInteger(text) ? text : format(parse(text, texts));
}

/** Orders two canonical texts by value: negative, zero or positive. */
export function compareNumbers(left: string, right: string): number {
  if (left === right) return 0;
  const leftNegative = left.charCodeAt(0) === MINUS;
  const rightNegative = right.charCodeAt(0) === MINUS;
  if (leftNegative !== rightNegative) return leftNegative ? -1 : 1;
  const byMagnitude = compareMagnitudes(left, right);
  return leftNegative ? -byMagnitude : byMagnitude;
}

/**
 * Bytes that compare as the numbers do: a sign byte (0x7f, 0x80 for zero, 0x81), the exponent in one byte, then the
 * digits in pairs. For a negative number, the exponent and the pairs are complemented, and a last byte above every pair
 * sorts the longer number (-1.21) before its prefix (-1.2).
 *
 * @param canonical from `normaliseNumber`
 * @returns a `ByteString`: one byte per UTF-16 unit
 */
export function encodeNumber(canonical: string): string {
  const { negative, digits, exponent } = parse(canonical);
  if (digits === '') return '\x80';
  const biased = exponent - MIN_EXPONENT;
  let bytes = negative ? `\x7f${String.fromCharCode(255 - biased)}` : `\x81${String.fromCharCode(biased)}`;
  for (let at = 0; at < digits.length; at += 2) {
    const low = at + 1 < digits.length ? digits.charCodeAt(at + 1) - ZERO : 0;
    const pair = (digits.charCodeAt(at) - ZERO) * 10 + low;
    bytes += String.fromCharCode(negative ? 100 - pair : pair);
  }
  return negative ? `${bytes}\x65` : bytes;
}

/**
 * The bytes that the service counts for a number: one, and one for each pair of significant digits (aligned at the
 * decimal point, so 1.2 has two pairs), and one if it is negative (developer guide, "DynamoDB item sizes and formats").
 *
 * @param canonical from `normaliseNumber`
 */
export function numberSize(canonical: string): number {
  if (canonical === '0') return 1;
  if (isCanonicalInteger(canonical)) return integerSize(canonical);
  const { negative, digits, exponent } = parse(canonical);
  return sizeOfDigits(digits.length, exponent) + (negative ? 1 : 0);
}

function integerSize(canonical: string): number {
  const negative = canonical.charCodeAt(0) === MINUS;
  const start = negative ? 1 : 0;
  let end = canonical.length;
  while (canonical.charCodeAt(end - 1) === ZERO) end--;
  return sizeOfDigits(end - start, canonical.length - start - 1) + (negative ? 1 : 0);
}

function sizeOfDigits(digits: number, exponent: number): number {
  const halfPair = exponent % 2 === 0 ? 1 : 0;
  return 1 + Math.ceil((digits + halfPair) / 2);
}

/** Most numbers that clients send are canonical integers already, and need no parser. */
function isCanonicalInteger(text: string): boolean {
  const start = text.charCodeAt(0) === MINUS ? 1 : 0;
  const length = text.length - start;
  if (length === 0 || length > MAX_DIGITS) return false;
  if (text.charCodeAt(start) === ZERO) return length === 1 && start === 0;
  for (let at = start; at < text.length; at++) if (!isDigit(text.charCodeAt(at))) return false;
  return true;
}

/**
 * `[+-] digits [. digits] [e [+-] digits]`, at least one digit before the exponent: the grammar of Java's BigDecimal.
 */
function parse(text: string, { emptyNumber, exponentBits }: ValueTexts = VALUE_TEXTS.default): Decimal {
  if (text === '') throw ApiError.validation(emptyNumber);
  const sign = text.charCodeAt(0);
  const start = sign === MINUS || sign === PLUS ? 1 : 0;
  const integerEnd = skipDigits(text, start);
  let end = integerEnd;
  if (text.charCodeAt(end) === POINT) end = skipDigits(text, end + 1);
  const integer = text.slice(start, integerEnd);
  const fraction = text.slice(integerEnd + 1, end);
  const power = parseExponent(text, end, exponentBits);
  if (power === undefined || (integer === '' && fraction === '')) {
    throw ApiError.validation(`The parameter cannot be converted to a numeric value: ${text}`);
  }
  const decimal = toDecimal(integer, fraction, power, exponentBits);
  return sign === MINUS && decimal.digits !== '' ? { ...decimal, negative: true } : decimal;
}

/** The number without its sign. */
function toDecimal(
  integer: string,
  fraction: string,
  power: number,
  exponentBits: ValueTexts['exponentBits'],
): Decimal {
  const all = integer + fraction;
  let first = 0;
  while (all.charCodeAt(first) === ZERO) first++;
  let last = all.length;
  while (last > first && all.charCodeAt(last - 1) === ZERO) last--;
  const isZero = first === last;
  // Zero has no first significant digit, so its last digit decides: 0e126 is out of range, and so is 0e-131.
  let exponent = isZero ? power - fraction.length : integer.length - 1 - first + power;
  // In 32 bits, it is the number of digits before the point (one more than the exponent) that wraps around.
  if (exponentBits === 32 && exponent >= MAX_INT32) exponent = -exponent;
  if (exponent > MAX_EXPONENT) throw numberOverflow();
  if (exponent < MIN_EXPONENT) {
    throw ApiError.validation(
      'Number underflow. Attempting to store a number with magnitude smaller than supported range',
    );
  }
  if (isZero) return { negative: false, digits: '', exponent: 0 };
  if (last - first > MAX_DIGITS) {
    throw ApiError.validation('Attempting to store more than 38 significant digits in a Number');
  }
  return { negative: false, digits: all.slice(first, last), exponent };
}

export function numberOverflow(): ApiError {
  return ApiError.validation(
    'Number overflow. Attempting to store a number with magnitude larger than supported range',
  );
}

const MAX_INT32 = 2 ** 31 - 1;
const MAX_INT64 = 2n ** 63n - 1n;
/** An exponent with fewer digits is within 64 bits for certain. */
const INT64_DIGITS = 19;

/**
 * The power of ten that is written from `at` to the end of `text`: 0 if there is none, undefined if it is malformed.
 */
function parseExponent(text: string, at: number, bits: ValueTexts['exponentBits']): number | undefined {
  if (at === text.length) return 0;
  if (text[at] !== 'e' && text[at] !== 'E') return undefined;
  const sign = text.charCodeAt(at + 1);
  const start = sign === MINUS || sign === PLUS ? at + 2 : at + 1;
  if (start === text.length || skipDigits(text, start) !== text.length) return undefined;
  const digits = text.slice(start);
  const power = Number(digits);
  if (bits === 32 && power > MAX_INT32) return undefined;
  if (digits.length >= INT64_DIGITS && isBeyond(digits, sign === MINUS ? MAX_INT64 + 1n : MAX_INT64)) return undefined;
  return sign === MINUS ? -power : power;
}

/** @param digits a whole number, maybe with leading zeros; `limit` has `INT64_DIGITS` digits */
function isBeyond(digits: string, limit: bigint): boolean {
  const significant = digits.replace(/^0+/, '');
  if (significant.length !== INT64_DIGITS) return significant.length > INT64_DIGITS;
  return BigInt(significant) > limit;
}

function format({ negative, digits, exponent }: Decimal): string {
  if (digits === '') return '0';
  const sign = negative ? '-' : '';
  const integerLength = exponent + 1;
  if (integerLength >= digits.length) return sign + digits.padEnd(integerLength, '0');
  if (integerLength > 0) return `${sign}${digits.slice(0, integerLength)}.${digits.slice(integerLength)}`;
  return `${sign}0.${'0'.repeat(-integerLength)}${digits}`;
}

/**
 * Compares canonical texts without sign: the longer integer part is larger; with equal lengths, the order of texts
 * holds.
 */
function compareMagnitudes(left: string, right: string): number {
  const byLength = integerLength(left) - integerLength(right);
  if (byLength !== 0) return byLength;
  return left < right ? -1 : 1;
}

function integerLength(canonical: string): number {
  const point = canonical.indexOf('.');
  return point === -1 ? canonical.length : point;
}

function skipDigits(text: string, from: number): number {
  let at = from;
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= 0x39;
}
