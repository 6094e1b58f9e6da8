import {
  FIRST_LINE,
  type FileInput,
  type FilePlace,
  type FileStart,
  type Format,
  fileEntries,
} from './file-entries.ts';
import type { Source } from './source.ts';

/** @param position where an earlier run ended, as its `position()` returned it */
export function fileSource(input: FileInput, format: Format, position: FileStart = FIRST_LINE): Source<FilePlace> {
  const total = input.kind === 'files' ? input.files.reduce((sum, { bytes }) => sum + bytes, 0) : 0;
  let read = 0;
  let at = position;
  return {
    entries: (table) => {
      const onRead = (bytes: number) => {
        read += bytes;
      };
      return fileEntries({ input, format, table, onRead }, position);
    },
    passed: (place) => {
      at = place;
    },
    position: () => {
      const { file, line, end, count } = at;
      return input.kind === 'files' ? { file, line, end, count } : undefined;
    },
    nameOf: ({ file, number }) => `${input.kind === 'files' ? input.files[file]!.path : '-'}:${number}`,
    rawOf: ({ raw }) => raw,
    share: () => (input.kind === 'files' && total > 0 ? Math.min(1, read / total) : undefined),
  };
}
