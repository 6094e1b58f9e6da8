import type { AttributeMap } from '../api/attribute-value.ts';
import type { Connection } from './endpoint-connection.ts';
import type { OutputState, TableState } from './export-state.ts';
import { Interrupted, TransferError } from './failure.ts';
import type { Meter } from './meter.ts';
import { type OutputCoding, OutputFile } from './output-file.ts';
import { scanPages } from './scan-pages.ts';
import type { FoundTable } from './tables.ts';
import { LIMITS } from './transfer-limits.ts';

export interface TableExport {
  readonly from: Connection;
  readonly table: FoundTable;
  readonly isConsistent: boolean;
  readonly coding: OutputCoding;
  readonly wantsColumns: boolean;
  readonly meter: Meter;
  readonly interrupted: AbortSignal;
  /** Called each time the files are complete up to a state. */
  onState(state: TableState): void;
}

/**
 * Reads a table into files of DynamoDB JSON lines, beginning at a state.
 * @returns the last state; the files are closed
 * @throws TransferError, Interrupted
 */
export async function exportTable(run: TableExport, start: TableState): Promise<TableState> {
  const { from, table, meter, interrupted } = run;
  const scan = { connection: from, table: table.name, isConsistent: run.isConsistent };
  const files: OutputFile[] = [];
  let state = start;
  const columns = new Set(start.columns);
  meter.start(() => readingOf(state, table, from.retries));
  try {
    for (const { path, point } of start.outputs)
      files.push(await OutputFile.open(path, { coding: run.coding, from: point }));
    for await (const page of scanPages(scan, start.segments)) {
      if (interrupted.aborted) throw new Interrupted();
      const index = files.length === 1 ? 0 : page.segment;
      await files[index]!.write(linesOf(page.items));
      if (run.wantsColumns) gather(columns, page.items);
      const segments = state.segments.with(page.segment, page.state);
      state = { ...state, segments, outputs: state.outputs.with(index, grown(state, index, files, page.items.length)) };
      if (run.wantsColumns) state = { ...state, columns: [...columns] };
      run.onState(state);
    }
    await Promise.all(files.map((file) => file.finish()));
  } catch (error) {
    await Promise.allSettled(files.map((file) => file.close()));
    throw error;
  } finally {
    meter.stop();
  }
  return { ...state, outputs: state.outputs.map((output, index) => ({ ...output, point: files[index]!.point })) };
}

/** The lines of a file. Values are written exactly as the endpoint sent them. */
export function linesOf(items: readonly AttributeMap[]): string {
  return items.map((item) => `{"Item":${JSON.stringify(item)}}\n`).join('');
}

export function itemsOf({ outputs }: TableState): number {
  return outputs.reduce((sum, { items }) => sum + items, 0);
}

function grown({ outputs }: TableState, index: number, files: readonly OutputFile[], items: number): OutputState {
  const output = outputs[index]!;
  return { ...output, items: output.items + items, point: files[index]!.point };
}

function gather(columns: Set<string>, items: readonly AttributeMap[]): void {
  for (const item of items) for (const name of Object.keys(item)) columns.add(name);
  if (columns.size <= LIMITS.maxColumns) return;
  throw new TransferError(`the items have more than ${LIMITS.maxColumns} attributes; --columns chooses some`);
}

function readingOf(state: TableState, table: FoundTable, retries: number) {
  const items = itemsOf(state);
  const total = table.description.ItemCount ?? 0;
  return {
    table: table.name,
    items,
    bytes: state.outputs.reduce((sum, { point }) => sum + point.contentBytes, 0),
    ...(total > 0 && total >= items && { share: items / total }),
    retries,
  };
}
