import { pipeline, Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { TransferError } from './failure.ts';
import type { LinePosition } from './lines.ts';
import { LIMITS } from './transfer-limits.ts';

export interface CsvRecord {
  /** Of its first line. */
  readonly number: number;
  /** Null: an empty cell without quotes. */
  readonly cells: readonly (string | null)[];
  readonly raw: string;
  /** After it. */
  readonly position: LinePosition;
}

/** What csv-parse gives with `info` and `raw`. */
interface Parsed {
  readonly record: (string | null)[];
  readonly raw: string;
  readonly info: { readonly lines: number; readonly bytes: number };
}

/**
 * The records of a CSV file, its header as well. Lines end with LF or CRLF; blank ones are skipped.
 * @param from what the chunks do not have
 * @throws TransferError for what leaves open where the next record begins
 */
export async function* recordsOf(
  name: string,
  chunks: AsyncIterable<Buffer>,
  delimiter: string,
  from: LinePosition = { line: 0, end: 0 },
): AsyncGenerator<CsvRecord> {
  const parser = parse({
    bom: true,
    delimiter,
    info: true,
    raw: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: LIMITS.maxLineBytes,
    cast: (value, { quoting }) => (value === '' && !quoting ? null : value),
  });
  pipeline(Readable.from(chunks), parser, () => {});
  try {
    for await (const { record, raw, info } of parser as AsyncIterable<Parsed>) {
      const line = from.line + info.lines;
      const linesBefore = raw.trim().split('\n').length - 1;
      yield { number: line - linesBefore, cells: record, raw, position: { line, end: from.end + info.bytes } };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const { code, message, lines } = error as CsvError & { lines?: number };
    const reason = message.replace(/ at line \d+/, '').replace(/^[A-Z].*?: /, '');
    throw new TransferError(`${name}:${from.line + (lines ?? 0)}: it is no CSV (${code}): ${reason}`);
  }
}
