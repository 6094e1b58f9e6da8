import { StoredRows } from '../env/stored-rows.ts';

/** Reads the rows of a node. @returns what `work` returns, or one line about why the node cannot be read */
export async function reading<T>(folder: string, work: (rows: StoredRows) => T): Promise<T | string> {
  let rows: StoredRows;
  try {
    rows = await StoredRows.open(folder);
  } catch (error) {
    return (error as Error).message.replaceAll(/\s*\n\s*/g, ' ');
  }
  try {
    return work(rows);
  } finally {
    await rows.close();
  }
}
