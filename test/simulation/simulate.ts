import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Batch, type BatchResult, combineHashes, runBatch, scenarioOf, showFailure } from './batch.ts';
import { BROKEN_RULES, type BrokenRuleName } from './broken-rules.ts';
import { SCENARIOS, SCENARIOS_IN_TURN, type Scenario, type ScenarioName } from './scenarios.ts';
import { simulateHistory } from './simulation.ts';
import { listStories, replayStory } from './stories/replay.ts';

const USAGE = `npm run simulate -- [options]
  --seed N         the first seed (1)
  --histories M    how many histories, of consecutive seeds (20000)
  --scenario X     one or several, separated by commas; default: all, in turn, or that of the rule
  --story NAME     replay one written story, and with its rule broken, if it names one
  --broken RULE    run with one rule broken; finding that out is then the success
  --twice          run each history twice: it must be the same, event for event
  --trace          print what happens in each history, in this process, or in the story
  --workers K      processes (one per core)
  --list           print scenarios, broken rules and stories`;

/** Histories that a worker runs before it reports. The same for all worker counts, so that they give one hash. */
const BATCH_HISTORIES = 250;

interface Options {
  readonly firstSeed: number;
  readonly histories: number;
  readonly scenarios: readonly ScenarioName[];
  readonly broken: BrokenRuleName | undefined;
  readonly isTwice: boolean;
  readonly workers: number;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      histories: { type: 'string', default: '20000' },
      scenario: { type: 'string' },
      story: { type: 'string' },
      broken: { type: 'string' },
      twice: { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
      workers: { type: 'string', default: String(availableParallelism()) },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(USAGE);
  if (values.list) return list();
  if (values.story !== undefined) return replayStory(values.story, values.trace, say);
  const broken = values.broken === undefined ? undefined : oneOf('broken rule', values.broken, BROKEN_RULES);
  const scenario = values.scenario ?? (broken ? BROKEN_RULES[broken].scenario : SCENARIOS_IN_TURN.join(','));
  const options: Options = {
    firstSeed: wholeNumber('seed', values.seed, 0),
    histories: wholeNumber('histories', values.histories, 1),
    scenarios: scenario.split(',').map((name) => oneOf('scenario', name, SCENARIOS)),
    broken,
    isTwice: values.twice,
    workers: wholeNumber('workers', values.workers, 1),
  };
  return values.trace ? printTraces(options) : runInWorkers(options);
}

function printTraces({ firstSeed, histories, scenarios, broken }: Options): number {
  const defects = broken === undefined ? {} : BROKEN_RULES[broken].defects;
  let failures = 0;
  for (let seed = firstSeed; seed < firstSeed + histories; seed++) {
    const name = scenarioOf(seed, scenarios);
    const result = simulateHistory(SCENARIOS[name] as Scenario, seed, defects, true);
    say(`seed ${seed} of ${name}`, ...result.trace!, `trace hash ${result.hash}`);
    if (result.violations.length > 0) failures++;
  }
  return failures > 0 === (broken !== undefined) ? 0 : 1;
}

async function runInWorkers(options: Options): Promise<number> {
  const { firstSeed, histories, scenarios, broken, isTwice, workers } = options;
  const startedAt = Date.now();
  const results: (BatchResult | undefined)[] = Array.from({ length: Math.ceil(histories / BATCH_HISTORIES) });
  let nextBatch = 0;
  let firstFailed = results.length;
  const takeBatch = (): number | undefined => (nextBatch < firstFailed ? nextBatch++ : undefined);
  const batchAt = (index: number): Batch => ({
    firstSeed: firstSeed + index * BATCH_HISTORIES,
    histories: Math.min(BATCH_HISTORIES, histories - index * BATCH_HISTORIES),
    scenarios,
    broken,
    isTwice,
  });
  const finish = (index: number, result: BatchResult) => {
    results[index] = result;
    // Batches with lower seeds go on, so that the failure reported is always that of the lowest seed.
    if (result.failure !== undefined) firstFailed = Math.min(firstFailed, index);
  };
  const progress = setInterval(() => say(`${showTotal(results)}, ${secondsSince(startedAt)} s`), 5_000);
  const running = Array.from({ length: Math.min(workers, results.length) }, () =>
    runWorker(takeBatch, batchAt, finish),
  );
  await Promise.all(running);
  clearInterval(progress);

  const counted = results.slice(0, firstFailed + 1);
  const hash = counted.reduce((all, result) => combineHashes(all, result!.hash), '');
  say(`${showTotal(counted)}${isTwice ? ', each twice' : ''}, ${secondsSince(startedAt)} s, trace hash ${hash}`);
  const failure = counted.at(-1)?.failure;
  if (failure !== undefined)
    say(`${broken === undefined ? 'VIOLATION' : `noticed that ${broken} is broken`}`, showFailure(failure, broken));
  else say(broken === undefined ? 'no violation' : `NOT noticed that ${broken} is broken`);
  return (failure !== undefined) === (broken !== undefined) ? 0 : 1;
}

/** Keeps one process busy until there is nothing left to do. */
function runWorker(
  takeBatch: () => number | undefined,
  batchAt: (index: number) => Batch,
  finish: (index: number, result: BatchResult) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let current = takeBatch();
    if (current === undefined) return resolve();
    const worker: ChildProcess = fork(fileURLToPath(import.meta.url));
    worker.on('message', (result: BatchResult) => {
      finish(current!, result);
      current = takeBatch();
      if (current === undefined) worker.disconnect();
      else worker.send(batchAt(current));
    });
    worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))));
    worker.send(batchAt(current));
  });
}

function showTotal(results: readonly (BatchResult | undefined)[]): string {
  let [histories, operations, unknown] = [0, 0, 0];
  for (const result of results) {
    histories += result?.histories ?? 0;
    operations += result?.operations ?? 0;
    unknown += result?.unknown ?? 0;
  }
  return `${histories} histories, ${operations} operations (${percent(unknown, operations)} unknown writes)`;
}

function percent(part: number, whole: number): string {
  return `${whole === 0 ? 0 : ((100 * part) / whole).toFixed(1)} %`;
}

function secondsSince(startedAt: number): string {
  return ((Date.now() - startedAt) / 1000).toFixed(1);
}

function list(): number {
  say('scenarios:');
  for (const [name, scenario] of Object.entries(SCENARIOS) as [string, Scenario][]) {
    const { nodes, replication, writeQuorum, readQuorum, clients, operations, faults } = scenario;
    const sizes = `${nodes} nodes, N=${replication} W=${writeQuorum} R=${readQuorum}`;
    say(`  ${name.padEnd(17)} ${sizes}, ${clients} clients, ${operations} operations, ${faults}`);
  }
  say('broken rules, and the scenario that shows them soonest:');
  for (const [name, { rule, scenario }] of Object.entries(BROKEN_RULES)) {
    say(`  ${name.padEnd(26)} ${scenario.padEnd(17)} ${rule}`);
  }
  say('stories:', ...listStories());
  return 0;
}

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`--${name} must be a whole number of at least ${least}, not ${text}`);
}

function oneOf<Name extends string>(what: string, name: string, choices: Record<Name, unknown>): Name {
  if (Object.hasOwn(choices, name)) return name as Name;
  throw new RangeError(`unknown ${what} ${name}; there are ${Object.keys(choices).join(', ')}`);
}

function say(...lines: string[]): number {
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}

if (process.send !== undefined) {
  // The callback takes the error of a parent that is gone.
  process.on('message', (batch: Batch) => process.send!(runBatch(batch), () => {}));
} else {
  // Whoever reads the first lines only has read enough.
  process.stdout.on('error', () => process.exit());
  try {
    process.exitCode = await main();
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    process.exitCode = 2;
  }
}
