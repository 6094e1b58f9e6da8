import { pipeline, Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { TransferError } from './failure.ts';
import type { LinePosition } from './lines.ts';
import { LIMITS } from './transfer-limits.ts';

export interface CsvRecord {
  /** The number of its first line. */
  readonly number: number;
  /** Null for an empty cell without quotes. */
  readonly cells: readonly (string | null)[];
  readonly raw: string;
  /** The position behind the record. */
  readonly position: LinePosition;
}

/** The output of csv-parse with `info` and `raw`. */
interface Parsed {
  readonly record: (string | null)[];
  readonly raw: string;
  readonly info: { readonly lines: number; readonly bytes: number };
}

/**
 * Reads the records of a CSV file, including its header. Lines end with LF or CRLF; blank ones are skipped.
 * @param from the position of the first chunk in the file
 * @throws TransferError for an error that leaves the beginning of the next record unknown
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
