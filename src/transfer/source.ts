import type { FoundTable } from './tables.ts';
import type { Entry } from './write-queue.ts';

/** Where the items of an import come from. Used by `import-table`; implemented for files and for scans. */
export interface Source<Place> {
  /** The writes for a table, from the source's position on. Called once. @throws TransferError */
  entries(table: FoundTable): AsyncGenerator<readonly Entry<Place>[]>;
  /** All entries up to this one are dealt with. */
  passed(place: Place): void;
  /** The position at which a later run can resume, as plain JSON. Undefined if none can. */
  position(): unknown;
  /** The name of a place in reports. */
  nameOf(place: Place): string;
  /** The original input at a place, for a file of rejects. */
  rawOf(place: Place): string | Buffer;
  /** The fraction that is read, from 0 to 1; undefined if it is not known. */
  share(): number | undefined;
}
