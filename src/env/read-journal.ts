import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { JOURNAL_FILES, type JournalPosition, type JournalRun, sealOf } from './journal.ts';
import { decodeFrame, type FrameSeal, frameAt, framesIn, isWrittenWhole, type JournalEntry } from './journal-frame.ts';
import { decodeHeader, JOURNAL_HEADER_BYTES, type JournalHeader } from './journal-header.ts';
import { machineRun } from './machine-run.ts';
import { StoreDamagedError } from './store-damage.ts';

export interface JournalReading {
  /** The position of the last frame that was read. */
  readonly position: JournalPosition;
  /** Which acknowledged writes may be lost although the store is opened: a text for the log. */
  readonly loss: string | undefined;
}

export interface JournalReader {
  /** The journal must belong to this owner. */
  readonly owner: string;
  /** Whether to go on with the entries that are left, whatever is lost. */
  readonly acceptsLoss: boolean;
  /** Called with each entry, in order. */
  readonly apply: (entry: JournalEntry) => void;
}

interface File {
  readonly name: string;
  /** Undefined if there is no such file. */
  readonly bytes: Buffer | undefined;
}

interface HeadedFile {
  readonly name: string;
  readonly bytes: Buffer;
  readonly header: JournalHeader;
}

/**
 * Reads the entries of a journal behind `settled`, in order, up to where its process died.
 *
 * If a process is killed during an append, a part of that frame may be at the end of the journal; all earlier frames
 * are there. So the last frame that is found must not come before the last one that the headers claim; a file must be
 * as long as its header says; no frame may follow behind one that cannot be read; and a frame that was written to its
 * end must not have changed. If appends were not synced, a restart of the machine may have lost more. That keeps the
 * promise, and is no damage.
 *
 * @param settled undefined if LMDB has no position: the store is new, or has lost its `data.mdb`
 * @throws StoreDamagedError if acknowledged writes may be lost; another error if the journal belongs to another store
 */
export function readJournal(
  folder: string,
  settled: JournalPosition | undefined,
  reader: JournalReader,
): JournalReading {
  const files: File[] = JOURNAL_FILES.map((name) => ({ name, bytes: readWhole(join(folder, name)) }));
  if (settled === undefined) return readNothing(files);
  const { run } = settled;
  if (run === null) return { position: settled, loss: undefined };

  // If it is unknown whether the machine was restarted, assume that it was.
  const isSameMachine = run.machine !== null && run.machine === machineRun();
  const loss = new Loss(reader.acceptsLoss || (!run.isSynced && !isSameMachine));
  const headed = files.flatMap((file) => checkHeader(file, run, reader.owner, loss) ?? []);
  const seal = sealOf(run);
  let position = settled;
  let end: { readonly bytes: Buffer; readonly offset: number } | undefined;
  const generationOf = ({ bytes }: HeadedFile) => frameAt(bytes, JOURNAL_HEADER_BYTES, seal)?.generation ?? 0;
  for (const { bytes } of headed
    .filter((file) => generationOf(file) > settled.generation)
    .sort((a, b) => generationOf(a) - generationOf(b))) {
    let offset = JOURNAL_HEADER_BYTES;
    for (;;) {
      const frame = frameAt(bytes, offset, seal);
      if (frame === undefined || frame.previous !== position.link) break;
      decodeFrame(bytes, offset, frame, reader.apply);
      position = { ...settled, generation: frame.generation, link: frame.link, sequence: frame.sequence };
      offset = frame.end;
    }
    end = { bytes, offset };
  }
  checkEnd({ files: headed, end, last: position.sequence, seal }, loss, { isSameMachine });
  return { position, loss: loss.found };
}

/** Both files are made after `data.mdb`, which names them before anything is acknowledged. So there must be none. */
function readNothing(files: readonly File[]): JournalReading {
  const unknown = files.find(({ bytes }) => bytes !== undefined);
  if (unknown !== undefined)
    throw new StoreDamagedError(`data.mdb does not know of ${unknown.name}: it was lost or replaced`);
  return { position: { generation: 0, link: 0, sequence: 0, run: null }, loss: undefined };
}

/** Notes a loss where a loss is accepted, and throws it where it is not. */
class Loss {
  found: string | undefined;
  readonly #isAccepted: boolean;

  constructor(isAccepted: boolean) {
    this.#isAccepted = isAccepted;
  }

  report(what: string): void {
    if (!this.#isAccepted) throw new StoreDamagedError(what, { leavesRest: true });
    this.found ??= what;
  }
}

function checkHeader({ name, bytes }: File, run: JournalRun, owner: string, loss: Loss): HeadedFile | undefined {
  if (bytes === undefined) {
    loss.report(`${name} is missing`);
    return undefined;
  }
  const header = decodeHeader(bytes);
  if (header === undefined) {
    loss.report(`${name} is damaged at its start`);
    return undefined;
  }
  if (header.owner !== owner) throw new Error(`${name} is the journal of ${header.owner}, not of ${owner}`);
  if (header.journal !== run.id) {
    loss.report(`${name} is of another time than data.mdb`);
    return undefined;
  }
  if (bytes.length < header.length) loss.report(`${name} was cut, from ${header.length} to ${bytes.length} bytes`);
  return { name, bytes, header };
}

interface ReadFiles {
  readonly files: readonly HeadedFile[];
  /** Where reading ended; undefined if no file had a frame to read. */
  readonly end: { readonly bytes: Buffer; readonly offset: number } | undefined;
  /** The sequence number of the last frame read. */
  readonly last: number;
  readonly seal: FrameSeal;
}

/** @param machine `isSameMachine`: it was not rebooted, so the files hold all that the system had taken, in order */
function checkEnd(
  { files, end, last, seal }: ReadFiles,
  loss: Loss,
  machine: { readonly isSameMachine: boolean },
): void {
  for (const { name, bytes, header } of files) {
    for (const { sequence } of framesIn(bytes, JOURNAL_HEADER_BYTES, seal)) {
      if (sequence > last) loss.report(`${name} has append ${sequence}, and append ${last + 1} cannot be read`);
    }
    if (header.appended > last) loss.report(`append ${last + 1} of ${header.appended} cannot be read`);
    const offset = bytes === end?.bytes ? end.offset : JOURNAL_HEADER_BYTES;
    if (!machine.isSameMachine || frameAt(bytes, offset, seal) !== undefined) continue;
    if (isWrittenWhole(bytes, offset, last + 1, seal)) {
      loss.report(`append ${last + 1} in ${name} was changed after it was written`);
    }
  }
}

/**
 * Makes sure that `data.mdb` is at least as long as the journal beside it says. LMDB never shortens the file, and a
 * file that was cut would crash the process.
 *
 * @throws StoreDamagedError
 */
export function checkDataLength(folder: string, dataFile: string): void {
  const found = statSync(dataFile, { throwIfNoEntry: false })?.size;
  for (const name of JOURNAL_FILES) {
    const header = readHeader(join(folder, name));
    if (header === undefined) continue;
    if (found === undefined) throw new StoreDamagedError('data.mdb is missing');
    // After a restart of the machine, one file may be newer than the other.
    if (header.machine === null || header.machine !== machineRun() || header.dataBytes <= found) continue;
    throw new StoreDamagedError(`data.mdb was cut, from ${header.dataBytes} to ${found} bytes`);
  }
}

function readHeader(path: string): JournalHeader | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(JOURNAL_HEADER_BYTES);
    return decodeHeader(bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0)));
  } finally {
    closeSync(descriptor);
  }
}

function readWhole(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
