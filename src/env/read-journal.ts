import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { JOURNAL_FILES, type JournalPosition, type JournalRun, sealOf } from './journal.ts';
import { decodeFrame, type FrameSeal, frameAt, framesIn, isWrittenWhole, type JournalEntry } from './journal-frame.ts';
import { decodeHeader, JOURNAL_HEADER_BYTES, type JournalHeader } from './journal-header.ts';
import { machineRun } from './machine-run.ts';
import { StoreDamagedError } from './store-damage.ts';

export interface JournalReading {
  /** Of the last frame read. */
  readonly position: JournalPosition;
  /** What may have been lost although the store goes on, for the log. */
  readonly loss: string | undefined;
}

export interface JournalReader {
  /** Whose journal it has to be. */
  readonly owner: string;
  /** Takes what is left, whatever is lost. */
  readonly acceptsLoss: boolean;
  /** Gets the entries, in order. */
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
 * Reads what a journal holds beyond `settled`, in order, up to where its process died.
 *
 * An append that was not answered when its process was killed may be there in part, at the end; all before it is there. So
 * the end that is found must not come before what the files say was appended, a file must be as long as it says, no frame
 * may follow, and none that was written to its end may be changed. A machine that was restarted may have lost more where
 * appends were not synced: that is what was promised, and is no damage.
 *
 * @param settled undefined: the store has none, it is new or lost its own
 * @throws StoreDamagedError if what was acknowledged may be lost; another error if it is the journal of another store
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

  // Where that is not known it has to be reckoned with.
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
  checkEnd(headed, end, position.sequence, seal, loss, isSameMachine);
  return { position, loss: loss.found };
}

/** Both files are made after the store, and named in it before anything is acknowledged. */
function readNothing(files: readonly File[]): JournalReading {
  const unknown = files.find(({ bytes }) => bytes !== undefined);
  if (unknown !== undefined)
    throw new StoreDamagedError(`data.mdb does not know of ${unknown.name}: it was lost or replaced`);
  return { position: { generation: 0, link: 0, sequence: 0, run: null }, loss: undefined };
}

/** What was lost, if anything: an error, unless it may be. */
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

/**
 * @param end where reading ended, if there is anything
 * @param last the sequence number of the last frame read
 * @param isSameMachine no machine was restarted: the system has all it had taken, in order
 */
function checkEnd(
  files: readonly HeadedFile[],
  end: { readonly bytes: Buffer; readonly offset: number } | undefined,
  last: number,
  seal: FrameSeal,
  loss: Loss,
  isSameMachine: boolean,
): void {
  for (const { name, bytes, header } of files) {
    for (const { sequence } of framesIn(bytes, JOURNAL_HEADER_BYTES, seal)) {
      if (sequence > last) loss.report(`${name} has append ${sequence}, and append ${last + 1} cannot be read`);
    }
    if (header.appended > last) loss.report(`append ${last + 1} of ${header.appended} cannot be read`);
    const offset = bytes === end?.bytes ? end.offset : JOURNAL_HEADER_BYTES;
    if (isSameMachine && frameAt(bytes, offset, seal) === undefined && isWrittenWhole(bytes, offset, last + 1, seal)) {
      loss.report(`append ${last + 1} in ${name} was changed after it was written`);
    }
  }
}

/**
 * Makes sure that the file of what is settled is as long as the journal beside it says: LMDB's file never becomes shorter,
 * and LMDB takes its process with it where it did.
 *
 * @throws StoreDamagedError
 */
export function checkDataLength(folder: string, dataFile: string): void {
  const found = statSync(dataFile, { throwIfNoEntry: false })?.size;
  for (const name of JOURNAL_FILES) {
    const header = readHeader(join(folder, name));
    if (header === undefined) continue;
    if (found === undefined) throw new StoreDamagedError('data.mdb is missing');
    // A machine that was restarted may have kept the one file and not the other.
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
