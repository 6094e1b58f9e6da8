import type { OutputPoint } from './output-file.ts';
import type { SegmentState } from './scan-pages.ts';

/** The progress of one table's export. Plain JSON. */
export interface TableState {
  readonly table: string;
  /** The table's identity when the export began. */
  readonly identity: string;
  /** When the export began, in milliseconds since 1970. */
  readonly startedMs: number;
  readonly segments: readonly SegmentState[];
  /** The output files; a folder has one for each segment. */
  readonly outputs: readonly OutputState[];
  /** The id of an export to a folder, else empty. */
  readonly exportId: string;
  /** Names of attributes, if they are needed for CSV. */
  readonly columns: readonly string[];
}

export interface OutputState {
  readonly path: string;
  readonly items: number;
  readonly point: OutputPoint;
}

export interface ExportState {
  /** The number of items of each finished table. */
  readonly finished: Readonly<Record<string, number>>;
  readonly current?: TableState;
}
