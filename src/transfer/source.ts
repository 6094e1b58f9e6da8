import type { FoundTable } from './tables.ts';
import type { Entry } from './write-queue.ts';

/** Where an import's items come from: an interface of `import-table`, with an implementation for files and one for scans. */
export interface Source<Place> {
  /** What is to be written into a table, from the source's position on. Called once. @throws TransferError */
  entries(table: FoundTable): AsyncGenerator<readonly Entry<Place>[]>;
  /** All entries up to this one are dealt with. */
  passed(place: Place): void;
  /** Plain JSON from which another run can go on. Undefined: none can. */
  position(): unknown;
  /** How a place is called in a report. */
  nameOf(place: Place): string;
  /** What stands there, for a file of rejects. */
  rawOf(place: Place): string | Buffer;
  /** How much of it was read, from 0 to 1; undefined where nobody knows. */
  share(): number | undefined;
}
