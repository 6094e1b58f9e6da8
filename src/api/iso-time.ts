const DAY_MS = 86_400_000;
const DAYS_OF_400_YEARS = 146_097;
/** The days from 0000-03-01 to 1970-01-01. */
const DAYS_BEFORE_1970 = 719_468;

/**
 * A time as ISO 8601 text in UTC, `2026-10-08T23:07:31.275Z`, without the `Date` that this room may not use. The date
 * is calculated by Howard Hinnant's `civil_from_days` ("chrono-Compatible Low-Level Date Algorithms"): years begin in
 * March, so the leap day is the last day of a year.
 * @param timeMs milliseconds since 1970, not negative
 */
export function isoTime(timeMs: number): string {
  const days = Math.floor(timeMs / DAY_MS) + DAYS_BEFORE_1970;
  const era = Math.floor(days / DAYS_OF_400_YEARS);
  const dayOfEra = days % DAYS_OF_400_YEARS;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0);

  const ms = Math.floor(timeMs % DAY_MS);
  const time = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1000) % 60];
  const date = `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}`;
  return `${date}T${time.map((part) => digits(part, 2)).join(':')}.${digits(ms % 1000, 3)}Z`;
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, '0');
}

/**
 * The inverse of `isoTime`, in ms since 1970; a fraction of a second, or the whole time of day, may be left out.
 * @returns undefined for any other text, and for dates that the calendar does not have
 */
export function timeOfIso(text: string): number | undefined {
  const found = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,3}))?Z)?$/.exec(text);
  if (found === null) return undefined;
  const [year, month, day, hours = 0, minutes = 0, seconds = 0] = found.slice(1, 7).map((part) => Number(part ?? 0));
  const yearFromMarch = year! - (month! <= 2 ? 1 : 0);
  const monthFromMarch = (month! + 9) % 12;
  const daysOfYears =
    yearFromMarch * 365 +
    Math.floor(yearFromMarch / 4) -
    Math.floor(yearFromMarch / 100) +
    Math.floor(yearFromMarch / 400);
  const days = daysOfYears + Math.floor((153 * monthFromMarch + 2) / 5) + day! - 1 - DAYS_BEFORE_1970;
  const ms = Number((found[7] ?? '').padEnd(3, '0'));
  const timeMs = days * DAY_MS + hours * 3_600_000 + minutes * 60_000 + seconds * 1_000 + ms;
  // The 30th of February would be a day in March, and 24:00 one of the next day.
  return timeMs >= 0 && isoTime(timeMs).startsWith(text.replace(/(\.\d+)?Z$/, '')) ? timeMs : undefined;
}
