import type { Readable } from 'node:stream';
import { type Column, type CsvOptions, columnsOf, writeOfRecord } from './csv-header.ts';
import { type CsvRecord, recordsOf } from './csv-records.ts';
import type { DataFile } from './data-file.ts';
import { md5Of } from './data-file.ts';
import { TransferError } from './failure.ts';
import { fileContent, streamContent } from './input-bytes.ts';
import { writeOfLine } from './item-line.ts';
import { linesOf } from './lines.ts';
import type { FoundTable } from './tables.ts';
import type { Entry } from './write-queue.ts';

/** How far the reading of files has come: so many are done, and so much of the next. */
export interface FilePlace {
  readonly file: number;
  /** Of this line, for reports. */
  readonly number: number;
  /** After it, to go on from there. */
  readonly line: number;
  readonly end: number;
  /** Lines with content of this file up to here, for the check against a manifest. */
  readonly count: number;
  /** What stands there, for a file of rejects; bytes if it is no text. Not for keeping. */
  readonly raw: string | Buffer;
}

export type FileStart = Pick<FilePlace, 'file' | 'line' | 'end' | 'count'>;

export const FIRST_LINE: FileStart = { file: 0, line: 0, end: 0, count: 0 };

/** How the content of files is read. */
export type Format = { readonly kind: 'json' } | { readonly kind: 'csv'; readonly options: CsvOptions };

/** Where items come from, if from files. */
export type FileInput =
  | { readonly kind: 'files'; readonly files: readonly DataFile[] }
  | { readonly kind: 'stdin'; readonly stream: Readable };

export type FileEntries = AsyncGenerator<readonly Entry<FilePlace>[]>;

/**
 * What the lines of files ask for, from a place on.
 * @param onRead is told the bytes that were read, as they are on disk
 * @throws TransferError for a file that is not whole
 */
export async function* fileEntries(
  input: FileInput,
  format: Format,
  table: FoundTable,
  start: FileStart,
  onRead: (bytes: number) => void,
): FileEntries {
  if (input.kind === 'stdin') {
    yield* entriesOf('-', 0, format, table, FIRST_LINE, () => streamContent(input.stream, '-', onRead));
    return;
  }
  for (const { bytes } of input.files.slice(0, start.file)) onRead(bytes);
  for (const [index, file] of input.files.entries()) {
    if (index < start.file) continue;
    const from = index === start.file ? start : { ...FIRST_LINE, file: index };
    await checkIntact(file);
    const content = (at: number, tell = onRead) => fileContent(file.path, at, tell);
    let count = from.count;
    for await (const entries of entriesOf(file.path, index, format, table, from, content)) {
      count = entries.at(-1)?.place.count ?? count;
      yield entries;
    }
    if (file.expected !== undefined && file.expected.items !== count) {
      throw new TransferError(`${file.path} has ${count} items, but its manifest says ${file.expected.items}`);
    }
  }
}

type Content = (start: number, onRead?: (bytes: number) => void) => AsyncIterable<Buffer>;

function entriesOf(name: string, file: number, format: Format, table: FoundTable, from: FileStart, content: Content) {
  return format.kind === 'json'
    ? jsonEntries(file, table, from, content)
    : csvEntries(name, file, format.options, table, from, content);
}

async function* jsonEntries(file: number, table: FoundTable, from: FileStart, content: Content): FileEntries {
  let { count } = from;
  for await (const lines of linesOf(content(from.end), from)) {
    yield lines.map(({ number, end, content }) => {
      count++;
      const place = { file, number, line: number, end, count };
      if (content.kind === 'bad') {
        const { bytes, problem } = content;
        return { place: { ...place, raw: bytes }, bytes: bytes.length, work: { kind: 'bad', problem } };
      }
      const { text } = content;
      return { place: { ...place, raw: text }, bytes: 2 * text.length, work: writeOfLine(table, text) };
    });
  }
}

async function* csvEntries(
  name: string,
  file: number,
  options: CsvOptions,
  table: FoundTable,
  from: FileStart,
  content: Content,
): FileEntries {
  let columns = options.header && columnsOf(options.header, table, options, '--csv-header');
  if (columns === undefined && from.end > 0) {
    const [first] = await firstOf(
      recordsOf(
        name,
        content(0, () => {}),
        options.delimiter,
      ),
    );
    columns = columnsOf(first?.cells ?? [], table, options, `${name}:1`);
  }
  let { count } = from;
  for await (const record of recordsOf(name, content(from.end), options.delimiter, from)) {
    if (columns === undefined) {
      columns = columnsOf(record.cells, table, options, `${name}:${record.number}`);
      continue;
    }
    count++;
    yield [csvEntry(file, table, columns, record, count)];
  }
}

function csvEntry(file: number, table: FoundTable, columns: readonly Column[], record: CsvRecord, count: number) {
  const { number, position, raw } = record;
  const place = { file, number, ...position, count, raw: raw.replace(/^[\r\n]+|\r?\n$/g, '') };
  return { place, bytes: 2 * raw.length, work: writeOfRecord(table, columns, record) };
}

async function firstOf<Part>(parts: AsyncIterable<Part>): Promise<Part[]> {
  for await (const part of parts) return [part];
  return [];
}

async function checkIntact({ path, expected }: DataFile): Promise<void> {
  if (expected?.md5 === undefined) return;
  const md5 = await md5Of(path);
  if (md5 !== expected.md5)
    throw new TransferError(`${path} is damaged: its MD5 is ${md5}, its manifest says ${expected.md5}`);
}
