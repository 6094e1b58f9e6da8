#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import type { Cluster } from './cluster.ts';
import { type Config, ConfigError, helpText, parseConfig } from './config.ts';
import { endpointOf } from './endpoint.ts';
import { createLog, type Log } from './env/log.ts';
import type { TransferName } from './transfer/command.ts';

/** A wrong setting, or a machine that refuses. */
const STATUS_REFUSED = 1;
/** Of modules that are loaded late, by name. */
const REFUSALS = ['DataDirectoryError', 'SeedError'];
/** A bug of ours: `EX_SOFTWARE` of sysexits(3). */
const STATUS_BUG = 70;
/** What shells answer for a program that SIGINT ended. */
const STATUS_INTERRUPTED = 130;
/** When SIGTERM has not ended the process by now, it ends as it is: what was acknowledged survives that. */
const STOP_WITHIN_MS = 900;

await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<void> {
  const [first, ...others] = argv;
  if (first === 'import' || first === 'export') return transfer(first, others);
  if (argv.includes('--help')) return print(helpText());
  if (argv.includes('--version')) return print(`${version()}\n`);
  try {
    const config = parseConfig(argv, process.env);
    const log = createLog({ level: config.logLevel, format: config.logFormat, write: printError, now: Date.now });
    endOnBugs(log);
    // Loaded only now, so that a wrong option is told at once.
    const starting = import('./cluster.ts').then(({ startCluster }) => startCluster(config, log));
    stopOnSignals(starting);
    print(readyText(config, await starting));
  } catch (error) {
    printError(`dynaring: ${refusalOf(error)}`);
    process.exit(isRefusal(error) ? STATUS_REFUSED : STATUS_BUG);
  }
}

/** Moves tables, as a client of some server: nothing of this one is loaded. */
async function transfer(name: TransferName, argv: readonly string[]): Promise<void> {
  const { runTransfer } = await import('./transfer/command.ts');
  process.exit(await runTransfer(name, argv));
}

/** One signal stops the server in order, a second one at once. */
function stopOnSignals(starting: Promise<Cluster>): void {
  let isStopping = false;
  const stop = async () => {
    if (isStopping) process.exit(STATUS_INTERRUPTED);
    isStopping = true;
    setTimeout(() => process.exit(0), STOP_WITHIN_MS).unref();
    const cluster = await starting;
    await cluster.stop();
    process.exit(0);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/** After a bug outside of a request nothing of what is in memory may be relied on: a restart reads what is on disk. */
function endOnBugs(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.error('ended by a bug', { error: error instanceof Error ? error.stack : error });
    process.exit(STATUS_BUG);
  });
}

function readyText(config: Config, { addresses, adminAddresses }: Cluster): string {
  const { nodes, replication, writeQuorum, readQuorum, dataDir, durability } = config;
  const ring = `${nodes} ${nodes === 1 ? 'node' : 'nodes'}, N=${replication} W=${writeQuorum} R=${readQuorum}`;
  const where = dataDir === undefined ? 'in memory' : `data in ${dataDir}, durability ${durability}`;
  const endpoints = addresses.map(endpointOf);
  return [
    `dynaring ${version()}: ${ring}, ${where}, ready on ${endpoints.join(' and ')}`,
    ...adminAddresses.map((address) => `administrators on ${endpointOf(address)}`),
    `export AWS_ENDPOINT_URL_DYNAMODB=${endpoints[0]}`,
    '',
  ].join('\n');
}

/** What the user or the machine has to change, as against a bug. */
function isRefusal(error: unknown): error is Error {
  if (error instanceof ConfigError) return true;
  return error instanceof Error && (REFUSALS.includes(error.name) || 'syscall' in error);
}

function refusalOf(error: unknown): string {
  if (!isRefusal(error)) return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code === 'EADDRINUSE') return `port ${port} of ${address} is in use; --port chooses another`;
  if (code === 'EACCES' && port !== undefined) return `listening on port ${port} of ${address} is not allowed`;
  if (code === 'EADDRNOTAVAIL') return `this machine has no address ${address}; --host chooses another`;
  return error.message.replaceAll(/\s*\n\s*/g, ' ');
}

function version(): string {
  const description = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(description) as { version: string }).version;
}

function print(text: string): void {
  process.stdout.write(text);
}

function printError(line: string): void {
  process.stderr.write(`${line}\n`);
}
