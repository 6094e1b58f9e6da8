const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Completes "must be ..." of an error. */
export const DURATION_FORM = 'a time such as 90s, 5m, 49h, 2d, 1h30m or -1h';

/**
 * A time in ms, from text such as `90s`, `1h30m` or `-2d`.
 * @returns undefined for any other text
 */
export function durationOf(text: string): number | undefined {
  const [, sign, parts] = /^([+-]?)((?:\d{1,15}(?:\.\d{1,3})?(?:ms|[smhd]))+)$/.exec(text) ?? [];
  if (parts === undefined) return undefined;
  let ms = 0;
  for (const [, count, unit] of parts.matchAll(/([\d.]+)(ms|[smhd])/g)) ms += Number(count) * UNITS_MS[unit!]!;
  // The smallest unit of the clock.
  const whole = Math.round(ms);
  return sign === '-' && whole > 0 ? -whole : whole;
}
