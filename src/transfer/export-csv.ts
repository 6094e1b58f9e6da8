import type { AttributeMap } from '../api/attribute-value.ts';
import { quoteCell, writeCell } from './csv-cell.ts';
import { fileContent } from './input-bytes.ts';
import { linesOf } from './lines.ts';
import type { FoundTable } from './tables.ts';

/** The column order of a table's CSV: its key, then all other attributes sorted by name. */
export function columnOrder({ key }: FoundTable, names: readonly string[]): string[] {
  const keys = [key.partition.name, ...(key.sort ? [key.sort.name] : [])];
  return [...keys, ...names.filter((name) => !keys.includes(name)).sort()];
}

/**
 * Converts a file of DynamoDB JSON lines to CSV.
 * @param write is called with some lines at a time
 */
export async function writeCsv(
  path: string,
  columns: readonly string[],
  delimiter: string,
  write: (text: string) => Promise<void>,
): Promise<void> {
  await write(
    rowOf(
      columns.map((name) => quoteCell(name, delimiter)),
      delimiter,
    ),
  );
  for await (const lines of linesOf(fileContent(path, 0, () => {}))) {
    const rows = lines.map(({ content }) => {
      // Our own export wrote these lines.
      const { Item } = JSON.parse((content as { text: string }).text) as { Item: AttributeMap };
      const cells = columns.map((name) =>
        Object.hasOwn(Item, name) ? quoteCell(writeCell(Item[name]!), delimiter) : '',
      );
      return rowOf(cells, delimiter);
    });
    await write(rows.join(''));
  }
}

/** A row ends with CRLF (RFC 4180). */
function rowOf(cells: readonly string[], delimiter: string): string {
  return `${cells.join(delimiter)}\r\n`;
}
