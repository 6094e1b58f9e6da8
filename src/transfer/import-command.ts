import { Checkpoint, finishedOf, howToGoOn, type Identity } from './checkpoint.ts';
import { keySchemaOf } from './copied-definition.ts';
import { Connection } from './endpoint-connection.ts';
import { Interrupted } from './failure.ts';
import { type ImportJob, type ImportPlan, planImport } from './import-jobs.ts';
import { type ImportOptions, importHelp, parseImport } from './import-options.ts';
import { importTable, NOTHING_DONE, type Totals } from './import-table.ts';
import { endedInTime } from './interruption.ts';
import { countText, Meter, summaryText } from './meter.ts';
import { Rejects } from './rejects.ts';
import { checkSameKey, type FoundTable, findTable, makeTable, noSuchTable } from './tables.ts';
import type { World } from './world.ts';

/** The progress of an import. */
interface ImportState {
  /** By table. */
  readonly finished: Readonly<Record<string, Totals>>;
  /** The bytes that the finished tables have left in the file of rejects. */
  readonly rejectedBytes: number;
  readonly current?: {
    readonly table: string;
    /** The table's identity at that time. If the table was deleted since, the items written to it are gone. */
    readonly identity: string;
    readonly totals: Totals;
    readonly position: unknown;
    readonly rejectedBytes: number;
  };
}

const NOTHING_IMPORTED: ImportState = { finished: {}, rejectedBytes: 0 };

/**
 * `dynaring import`.
 * @throws TransferError, Interrupted
 */
export async function runImport(argv: readonly string[], world: World): Promise<void> {
  const options = parseImport(argv, world.env);
  if (options === undefined) {
    world.stdout.write(importHelp());
    return;
  }
  const meter = new Meter(world, options);
  const target = new Connection(options.to, world, options.concurrency);
  const from =
    options.from.kind === 'endpoint' ? new Connection(options.from.endpoint, world, options.segments) : undefined;
  const cut = () => {
    target.close();
    from?.close();
  };
  const work = async () => runPlan({ options, target, meter, world }, await planImport(options, from, world));
  try {
    await endedInTime(work(), cut, world);
  } finally {
    meter.stop();
    cut();
  }
}

/** What all jobs of one import share. */
interface Import {
  readonly options: ImportOptions;
  readonly target: Connection;
  readonly meter: Meter;
  readonly world: World;
}

async function runPlan(run: Import, plan: ImportPlan): Promise<void> {
  const { options, meter, world } = run;
  const path = options.progressFile ?? plan.progressFile;
  const checkpoint =
    path === undefined || plan.progressFile === undefined
      ? undefined
      : new Checkpoint<ImportState>(path, identityOf(options, plan), world);
  let state = (options.restart ? undefined : await checkpoint?.read()) ?? NOTHING_IMPORTED;
  if (checkpoint === undefined)
    meter.note('standard input cannot be read again: if this import ends early, begin anew');
  checkpoint?.start();
  try {
    for (const job of plan.jobs) {
      const done = finishedOf(state.finished, job.table);
      if (done !== undefined) {
        meter.note(`${job.table}: ${countText(done.put + done.deleted, 'item')} were imported before`);
        continue;
      }
      const startedMs = world.nowMs();
      const onState = (stateOf: () => ImportState) => checkpoint?.changed(stateOf);
      const { totals, before, rejectedBytes } = await runJob(run, job, state, onState);
      state = { finished: { ...state.finished, [job.table]: totals }, rejectedBytes };
      meter.say(summaryOf(job.table, totals, before, (world.nowMs() - startedMs) / 1_000));
    }
    await checkpoint?.remove();
  } catch (error) {
    await checkpoint?.flush();
    if (error instanceof Interrupted) throw interrupted(checkpoint, options);
    if (checkpoint?.problem !== undefined) meter.say(`no progress could be kept: ${checkpoint.problem}`);
    throw error;
  }
}

async function runJob(
  run: Import,
  job: ImportJob,
  { finished, rejectedBytes, current }: ImportState,
  onState: (stateOf: () => ImportState) => void,
): Promise<{ readonly totals: Totals; readonly before: Totals; readonly rejectedBytes: number }> {
  const { options, target, meter, world } = run;
  const table = await targetTable(run, job);
  let resumed = current?.table === job.table ? current : undefined;
  if (resumed !== undefined && resumed.identity !== table.identity) {
    meter.say(`table ${job.table} was made anew since: the import begins from the start`);
    resumed = undefined;
  }
  if (resumed !== undefined) meter.note(`${job.table}: goes on after ${countText(resumed.totals.put, 'item')}`);
  const rejectedBefore = resumed?.rejectedBytes ?? rejectedBytes;
  const rejects = options.rejectsFile === undefined ? undefined : new Rejects(options.rejectsFile, rejectedBefore);
  const source = job.open(resumed?.position);
  const before = resumed?.totals ?? NOTHING_DONE;
  let done: Totals = before;
  // Called once for each save, not for each item.
  const stateOf = (): ImportState => ({
    finished,
    rejectedBytes,
    current: {
      table: job.table,
      identity: table.identity,
      totals: { ...done },
      position: source.position(),
      rejectedBytes: rejects?.length ?? 0,
    },
  });
  try {
    const totals = await importTable({
      source,
      target,
      table,
      concurrency: options.concurrency,
      batchSize: options.batchSize,
      maxBadLines: options.maxBadLines,
      rejects,
      meter,
      before,
      interrupted: world.interrupted,
      sleep: world.sleep,
      onPassed: (totals) => {
        done = totals;
        onState(stateOf);
      },
    });
    return { totals, before, rejectedBytes: rejects?.length ?? 0 };
  } finally {
    rejects?.close();
  }
}

async function targetTable({ target, meter, world }: Import, job: ImportJob): Promise<FoundTable> {
  const found = await findTable(target, job.table);
  const definition = await job.definition();
  if (found !== undefined) {
    const key = definition && keySchemaOf(definition);
    if (key !== undefined) checkSameKey(found, key, 'the source');
    return found;
  }
  if (definition === undefined) {
    throw await noSuchTable(target, job.table, '--create FILE makes one');
  }
  const { table, missing } = await makeTable(target, { ...definition, TableName: job.table }, world);
  meter.note(`made table ${job.table}`);
  if (missing !== undefined) meter.say(missing);
  return table;
}

function identityOf(options: ImportOptions, plan: ImportPlan): Identity {
  const { format, csv } = options;
  return {
    'the input': plan.input,
    'the target': `${options.to.url.origin} ${plan.jobs.map(({ table }) => table).join(' ')}`,
    'the format': JSON.stringify([format, csv.delimiter, csv.header, [...csv.types]]),
  };
}

function interrupted(checkpoint: Checkpoint<unknown> | undefined, options: ImportOptions): Interrupted {
  if (checkpoint === undefined)
    return new Interrupted('ended; what was read is written, but the rest has to begin anew');
  if (checkpoint.problem !== undefined)
    return new Interrupted(`ended; no progress could be kept: ${checkpoint.problem}`);
  return new Interrupted(howToGoOn(checkpoint, options));
}

function summaryOf(table: string, totals: Totals, before: Totals, seconds: number): string {
  const items = totals.put - before.put;
  const parts = [
    ...(before.put > 0 ? [`${countText(before.put, 'item')} before`] : []),
    ...(totals.deleted > before.deleted ? [`${countText(totals.deleted - before.deleted, 'item')} deleted`] : []),
    ...(totals.bad > 0 ? [`${countText(totals.bad, 'bad line')} skipped`] : []),
  ];
  return summaryText(`imported ${countText(items, 'item')} into ${table}`, parts, items, seconds);
}
