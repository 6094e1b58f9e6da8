import type { PeerRecord } from '../env/peer-record.ts';

/** What a process keeps of itself and of others: on a disk, or in memory if it stores nothing. */
export interface PeerMemory {
  readonly record: PeerRecord;
  save(record: PeerRecord): void;
  readNotes(): unknown;
  writeNotes(notes: unknown): Promise<void>;
}

/** What is remembered of a process without a disk, for as long as it runs. */
export function memoryOf(first: PeerRecord): PeerMemory {
  let record = first;
  return {
    get record() {
      return record;
    },
    save: (next) => {
      record = next;
    },
    readNotes: () => undefined,
    writeNotes: async () => {},
  };
}
