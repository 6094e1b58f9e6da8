import type { OutputPoint } from './output-file.ts';
import type { SegmentState } from './scan-pages.ts';

/** How far the export of one table has come. Plain JSON. */
export interface TableState {
  readonly table: string;
  /** Of the table at that time. */
  readonly identity: string;
  /** When it began. */
  readonly startedMs: number;
  readonly segments: readonly SegmentState[];
  /** The files it goes to, in a folder one for each segment. */
  readonly outputs: readonly OutputState[];
  /** Of an export in a folder, else empty. */
  readonly exportId: string;
  /** Names of attributes, if they are wanted. */
  readonly columns: readonly string[];
}

export interface OutputState {
  readonly path: string;
  readonly items: number;
  readonly point: OutputPoint;
}

export interface ExportState {
  /** The items of tables that are complete. */
  readonly finished: Readonly<Record<string, number>>;
  readonly current?: TableState;
}
