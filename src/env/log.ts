export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** `text`: one line for people. `json`: one JSON object a line, with `time`, `level`, `message` and the fields. */
export type LogFormat = 'text' | 'json';

/** A structured log: the message is a fixed text, and everything that varies is in `fields`. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

const RANKS: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

export interface LogOptions {
  /** The least important level that is written. */
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes one line, without its line end. */
  readonly write: (line: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A log that writes one line per message. */
export function createLog({ level, format, write, now }: LogOptions): Log {
  const layout = format === 'json' ? jsonLine : textLine;
  const writerOf = (of: LogLevel) =>
    RANKS[of] < RANKS[level]
      ? ignore
      : (message: string, fields?: Readonly<Record<string, unknown>>) =>
          write(layout(new Date(now()).toISOString(), of, message, fields ?? {}));
  return { debug: writerOf('debug'), info: writerOf('info'), warn: writerOf('warn'), error: writerOf('error') };
}

/** A log that writes nothing. */
export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {}

type Fields = Readonly<Record<string, unknown>>;

function jsonLine(time: string, level: LogLevel, message: string, fields: Fields): string {
  return JSON.stringify({ time, level, message, ...fields }, plain);
}

/** `2026-01-31T12:00:00.000Z WARN  the disk is full node=a error="ENOSPC: no space"` */
function textLine(time: string, level: LogLevel, message: string, fields: Fields): string {
  let line = `${time} ${level.toUpperCase().padEnd(5)} ${oneLine(message)}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${name}=${fieldText(value)}`;
  }
  return line;
}

function fieldText(value: unknown): string {
  const text = value instanceof Error ? value.message : value;
  if (typeof text === 'string' && /^[\w./:@+-]+$/.test(text)) return text;
  return JSON.stringify(text, plain) ?? String(text);
}

/** Quotes a text that comes from elsewhere: it must not be able to forge a line of the log. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}

/** A value as JSON can hold it: JSON has neither errors nor big integers, and bytes would fill pages. */
function plain(_name: string, value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? value.message;
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  return value;
}
