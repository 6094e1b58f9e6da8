import type { Readable } from 'node:stream';
import { type CsvOptions, columnsOf, writeOfRecord } from './csv-header.ts';
import { recordsOf } from './csv-records.ts';
import type { DataFile } from './data-file.ts';
import { md5Of } from './data-file.ts';
import { TransferError } from './failure.ts';
import { fileContent, streamContent } from './input-bytes.ts';
import { writeOfLine } from './item-line.ts';
import { linesOf } from './lines.ts';
import type { FoundTable } from './tables.ts';
import type { Entry } from './write-queue.ts';

/** A position in the input files: `file` of them are finished, and the next is read up to `end`. */
export interface FilePlace {
  readonly file: number;
  /** The line number, for reports. */
  readonly number: number;
  /** The number of lines up to the position behind this entry, where a later run resumes. */
  readonly line: number;
  readonly end: number;
  /** The number of non-blank lines of this file up to here, for the check against a manifest. */
  readonly count: number;
  /** The original line, for a file of rejects; bytes if it is no text. Not saved in the progress file. */
  readonly raw: string | Buffer;
}

export type FileStart = Pick<FilePlace, 'file' | 'line' | 'end' | 'count'>;

export const FIRST_LINE: FileStart = { file: 0, line: 0, end: 0, count: 0 };

/** The format of the files. */
export type Format = { readonly kind: 'json' } | { readonly kind: 'csv'; readonly options: CsvOptions };

/** The source of items, if they come from files. */
export type FileInput =
  | { readonly kind: 'files'; readonly files: readonly DataFile[] }
  | { readonly kind: 'stdin'; readonly stream: Readable };

export type FileEntries = AsyncGenerator<readonly Entry<FilePlace>[]>;

/** Files to read, and the table that their items are for. */
export interface FileReading {
  readonly input: FileInput;
  readonly format: Format;
  readonly table: FoundTable;
  /** Called with the number of bytes that were read, as they are on disk (compressed, if the file is). */
  readonly onRead: (bytes: number) => void;
}

/**
 * Reads the writes that the lines of files ask for, beginning at a position.
 * @throws TransferError for a file that is damaged or incomplete
 */
export async function* fileEntries({ input, format, table, onRead }: FileReading, start: FileStart): FileEntries {
  if (input.kind === 'stdin') {
    const content = () => streamContent(input.stream, '-', onRead);
    yield* entriesOf({ name: '-', file: 0, format, table, content }, FIRST_LINE);
    return;
  }
  for (const { bytes } of input.files.slice(0, start.file)) onRead(bytes);
  for (const [index, file] of input.files.entries()) {
    if (index < start.file) continue;
    const from = index === start.file ? start : { ...FIRST_LINE, file: index };
    await checkIntact(file);
    const content = (at: number, tell = onRead) => fileContent(file.path, at, tell);
    let count = from.count;
    for await (const entries of entriesOf({ name: file.path, file: index, format, table, content }, from)) {
      count = entries.at(-1)?.place.count ?? count;
      yield entries;
    }
    if (file.expected !== undefined && file.expected.items !== count) {
      throw new TransferError(`${file.path} has ${count} items, but its manifest says ${file.expected.items}`);
    }
  }
}

type Content = (start: number, onRead?: (bytes: number) => void) => AsyncIterable<Buffer>;

/** One of the files, and the table that its items are for. */
interface OpenFile {
  readonly name: string;
  /** Its index among the files. */
  readonly file: number;
  readonly format: Format;
  readonly table: FoundTable;
  readonly content: Content;
}

function entriesOf(file: OpenFile, from: FileStart): FileEntries {
  return file.format.kind === 'json' ? jsonEntries(file, from) : csvEntries(file, file.format.options, from);
}

async function* jsonEntries({ file, table, content }: OpenFile, from: FileStart): FileEntries {
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
  { name, file, table, content }: OpenFile,
  options: CsvOptions,
  from: FileStart,
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
    const { number, position, raw } = record;
    const place = { file, number, ...position, count, raw: raw.replace(/^[\r\n]+|\r?\n$/g, '') };
    yield [{ place, bytes: 2 * raw.length, work: writeOfRecord(table, columns, record) }];
  }
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
