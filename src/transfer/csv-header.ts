import { keyTypesOf } from './copied-definition.ts';
import type { CellType } from './csv-cell.ts';
import { readCell } from './csv-cell.ts';
import type { CsvRecord } from './csv-records.ts';
import { TransferError } from './failure.ts';
import type { FoundTable } from './tables.ts';
import type { BadInput, Write } from './write.ts';
import { bad, putOf } from './write-of.ts';

/** How the user wants a CSV file to be read. */
export interface CsvOptions {
  readonly delimiter: string;
  /** The names of the columns, for a file without a header. */
  readonly header?: readonly string[];
  readonly types: ReadonlyMap<string, CellType>;
}

export interface Column {
  readonly name: string;
  readonly type: CellType;
}

/**
 * Determines the type of each column. Keys of the table or of an index have the key's type, as in the service's import;
 * other columns have the type that the user gave, or else are texts.
 * @param place the beginning of errors
 * @throws TransferError
 */
export function columnsOf(
  names: readonly (string | null)[],
  table: FoundTable,
  options: CsvOptions,
  place: string,
): Column[] {
  const keyTypes = keyTypesOf(table.description);
  const columns = names.map((name, index): Column => {
    if (name === null || name === '') throw new TransferError(`${place}: column ${index + 1} has no name`);
    if (names.indexOf(name) < index)
      throw new TransferError(`${place}: two columns are called ${JSON.stringify(name)}`);
    return { name, type: options.types.get(name) ?? keyTypes.get(name) ?? 'S' };
  });
  for (const name of options.types.keys()) {
    if (!names.includes(name)) throw new TransferError(`${place}: there is no column ${JSON.stringify(name)}`);
  }
  for (const key of [table.key.partition, table.key.sort]) {
    if (key === undefined || names.includes(key.name)) continue;
    throw new TransferError(
      `${place}: there is no column for the key ${JSON.stringify(key.name)} of table ${table.name}`,
    );
  }
  return columns;
}

/** The write for a record. Empty cells without quotes are left out. */
export function writeOfRecord(table: FoundTable, columns: readonly Column[], { cells }: CsvRecord): Write | BadInput {
  if (cells.length !== columns.length) {
    return bad(`it has ${cells.length} cells, but there are ${columns.length} columns`);
  }
  const members: string[] = [];
  for (const [index, { name, type }] of columns.entries()) {
    const text = cells[index];
    if (text == null) continue;
    const cell = readCell(text, type);
    if (cell.kind === 'bad') return bad(`column ${name} ${cell.problem}`);
    members.push(`${JSON.stringify(name)}:${cell.json}`);
  }
  const json = `{${members.join(',')}}`;
  return putOf(table, JSON.parse(json), json);
}
