export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Structured log: a fixed text, and what varies in `fields`. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}
