import type { PeerRecord } from '../env/peer-record.ts';
import type { PeerMemory } from './peer-network.ts';

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
