import { MAX_DIGITS, normaliseNumber, numberOverflow } from './number.ts';

/**
 * The exact sum or difference of two numbers.
 * @param left as `normaliseNumber` writes it, and so is `right`
 * @returns the result in the same form
 * @throws ApiError (ValidationException) if the result is out of the service's range. The service reports a result of
 *   more than 38 digits as above the range too (recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1: 1e50 - 1)
 */
export function addNumbers(left: string, right: string, operator: 'plus' | 'minus'): string {
  const scale = Math.max(fractionDigits(left), fractionDigits(right));
  const one = scaled(left, scale);
  const other = scaled(right, scale);
  const result = unscaled(operator === 'plus' ? one + other : one - other, scale);
  if (result.length > MAX_DIGITS && significantDigits(result) > MAX_DIGITS) throw numberOverflow();
  return normaliseNumber(result);
}

function significantDigits(text: string): number {
  return text.replace(/^-/, '').replace('.', '').replace(/^0+/, '').replace(/0+$/, '').length;
}

function fractionDigits(canonical: string): number {
  const point = canonical.indexOf('.');
  return point === -1 ? 0 : canonical.length - point - 1;
}

function scaled(canonical: string, scale: number): bigint {
  return BigInt(canonical.replace('.', '') + '0'.repeat(scale - fractionDigits(canonical)));
}

function unscaled(value: bigint, scale: number): string {
  const sign = value < 0n ? '-' : '';
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
  const point = digits.length - scale;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
