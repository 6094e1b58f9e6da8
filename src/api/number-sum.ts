import { normaliseNumber } from './number.ts';

/**
 * The exact sum or difference of two numbers.
 * @param left as `normaliseNumber` writes it, as is `right`
 * @returns the same form
 * @throws ApiError (ValidationException) if it has more than 38 digits or is out of the service's range
 */
export function addNumbers(left: string, right: string, operator: 'plus' | 'minus'): string {
  const scale = Math.max(fractionDigits(left), fractionDigits(right));
  const one = scaled(left, scale);
  const other = scaled(right, scale);
  return normaliseNumber(unscaled(operator === 'plus' ? one + other : one - other, scale));
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
