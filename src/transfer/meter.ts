import type { Screen, World } from './world.ts';

/** The state of a transfer in progress. `share` is the fraction that is done, from 0 to 1. */
export interface Reading {
  readonly table: string;
  readonly items: number;
  readonly bytes: number;
  /** Undefined if it is not known. */
  readonly share?: number;
  readonly retries: number;
}

const DRAW_MS = 100;
const TELL_MS = 5_000;
const BAR_WIDTH = 24;
const DEFAULT_COLUMNS = 80;
/** Below this share, no remaining time is estimated. */
const MIN_SHARE = 0.005;
const CLEAR_LINE = '\r\x1b[K';

/** Shows progress on the user's screen: a bar on a terminal, elsewhere a line every few seconds. */
export class Meter {
  readonly #screen: Screen;
  readonly #world: World;
  readonly #isQuiet: boolean;
  #stop: () => void = () => {};
  #isDrawn = false;

  constructor(world: World, { isQuiet }: { readonly isQuiet: boolean }) {
    this.#screen = world.screen;
    this.#world = world;
    this.#isQuiet = isQuiet;
  }

  /** @param read called whenever progress is shown */
  start(read: () => Reading): void {
    if (this.#isQuiet) return;
    const startedMs = this.#world.nowMs();
    const first = read();
    const show = () => {
      const seconds = (this.#world.nowMs() - startedMs) / 1_000;
      const reading = read();
      const rate = seconds > 0 ? (reading.items - first.items) / seconds : 0;
      const progress = (reading.share ?? 0) - (first.share ?? 0);
      const left = progress > MIN_SHARE ? (seconds * (1 - (reading.share ?? 0))) / progress : undefined;
      if (this.#screen.isTerminal) {
        // A terminal that does not know its size reports 0 columns.
        this.#draw(barText(reading, rate, left, this.#screen.columns() || DEFAULT_COLUMNS));
      } else this.#screen.write(`dynaring: ${plainText(reading, rate, left)}\n`);
    };
    this.#stop = this.#world.every(this.#screen.isTerminal ? DRAW_MS : TELL_MS, show);
  }

  stop(): void {
    this.#stop();
    this.#clear();
  }

  /** Prints a line for the user, above the bar. */
  say(line: string): void {
    this.#clear();
    this.#screen.write(`dynaring: ${line}\n`);
  }

  /** As `say`, but not with `--quiet`. */
  note(line: string): void {
    if (!this.#isQuiet) this.say(line);
  }

  #draw(text: string): void {
    this.#screen.write(CLEAR_LINE + text);
    this.#isDrawn = true;
  }

  #clear(): void {
    if (this.#isDrawn) this.#screen.write(CLEAR_LINE);
    this.#isDrawn = false;
  }
}

export function barText(reading: Reading, rate: number, leftSeconds: number | undefined, columns: number): string {
  const figures = figuresOf(reading, rate, leftSeconds).join('  ');
  const { table, share } = reading;
  const filled = Math.round((share ?? 0) * BAR_WIDTH);
  const bar = share === undefined ? '' : `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}] `;
  // In a narrow window the bar is left out first, then the end of the figures.
  const text = `${table} ${bar}${figures}`;
  return text.length < columns ? text : `${table} ${figures}`.slice(0, columns - 1);
}

export function plainText(reading: Reading, rate: number, leftSeconds: number | undefined): string {
  return `${reading.table}: ${figuresOf(reading, rate, leftSeconds).join(', ')}`;
}

function figuresOf({ share, items, bytes, retries }: Reading, rate: number, leftSeconds: number | undefined): string[] {
  return [
    ...(share === undefined ? [] : [`${Math.floor(share * 100)}%`]),
    countText(items, 'item'),
    sizeText(bytes),
    `${groupDigits(Math.round(rate))}/s`,
    ...(retries === 0 ? [] : [`${groupDigits(retries)} retries`]),
    ...(leftSeconds === undefined ? [] : [`${timeText(leftSeconds)} left`]),
  ];
}

export function countText(count: number, noun: string): string {
  return `${groupDigits(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function sizeText(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  let [amount, unit] = [bytes, 0];
  for (; amount >= 1_000 && unit < units.length - 1; unit++) amount /= 1_000;
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit]}`;
}

/** `1:05` or `2:00:05`. */
export function timeText(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60];
  const tail = String(whole % 60).padStart(2, '0');
  return hours === 0 ? `${minutes}:${tail}` : `${hours}:${String(minutes).padStart(2, '0')}:${tail}`;
}

function groupDigits(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}

/** The line printed at the end of a transfer. */
export function summaryText(what: string, parts: readonly string[], items: number, seconds: number): string {
  const rate = seconds > 0 && items > 0 ? `${groupDigits(Math.round(items / seconds))}/s` : undefined;
  const time = `in ${seconds < 100 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return `${what} ${time}${rate === undefined ? '' : ` (${rate})`}${parts.map((part) => `, ${part}`).join('')}`;
}
