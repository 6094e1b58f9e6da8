import { readFileSync } from 'node:fs';
import { helpText } from './config/help.ts';
import { parseCommandLine, type ServeCommand } from './config/parse.ts';
import type { PeerServeCommand } from './config/parse-peer.ts';
import { type PeerStartUp, peerStartUpFields, peerStartUpText } from './config/peer-start-up.ts';
import { type StartUp, startUpEntries, startUpText, strangersNote } from './config/start-up.ts';
import { isRefusal } from './config.ts';
import { sendConsoleToLog } from './env/console-to-log.ts';
import { createLog, type Log } from './env/log.ts';
import { keepYoungSpaceSmall } from './env/young-space.ts';
import type { ServedPeer } from './serve.ts';
import type { TransferName } from './transfer/command.ts';

/** The status for a wrong setting, or for something that the machine refuses. */
const STATUS_REFUSED = 1;
/** The status for a bug of ours: `EX_SOFTWARE` of sysexits(3). */
const STATUS_BUG = 70;
/** The status that shells give a program that SIGINT ended. */
const STATUS_INTERRUPTED = 130;
/** A stop that takes longer is cut short: acknowledged writes survive that. */
const STOP_WITHIN_MS = 900;
/** A process of a cluster ends what others have asked of it: no request fails by its stop. */
const PEER_STOP_WITHIN_MS = 12_000;
const HELP = ['--help', '-help', '-h'];

await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<void> {
  outliveReaders();
  const [first, ...others] = argv;
  if (first === 'import' || first === 'export') return transfer(first, others);
  if (first === 'inspect') return inspect(others);
  if (first === 'admin') return administer(others);
  const peerCommand = first === 'init' || first === 'serve' ? first : undefined;
  // Before anything else: a signal that process 1 of a container does not handle does not end it.
  const stopping = stopOnSignals();
  try {
    if (peerCommand !== undefined && !others.some((each) => HELP.includes(each))) {
      return await runPeerCommand(peerCommand, others, stopping);
    }
    const command = parseCommandLine(peerCommand === undefined ? argv : ['--help'], process.env);
    switch (command.kind) {
      case 'help':
        return print(helpText());
      case 'version':
        return print(`${version()}\n`);
      case 'serve':
        return await serve(command, stopping);
    }
  } catch (error) {
    if (stopping.isStopping) process.exit(0);
    printError(`dynaring: ${messageOf(error)}`);
    process.exit(isRefusal(error) || isOfSystem(error) ? STATUS_REFUSED : STATUS_BUG);
  }
}

/** Moves tables as a client of some server. None of this server's modules is loaded. */
async function transfer(name: TransferName, argv: readonly string[]): Promise<void> {
  const { runTransfer } = await import('./transfer/command.ts');
  process.exit(await runTransfer(name, argv));
}

/** Prints the content of a data directory. None of the server's modules is loaded. */
async function inspect(argv: readonly string[]): Promise<void> {
  const { runInspect } = await import('./inspect/inspect-command.ts');
  process.exitCode = await runInspect(argv, { print, printError });
}

/** Asks a running server. None of its modules is loaded. */
async function administer(argv: readonly string[]): Promise<void> {
  const { runAdmin } = await import('./admin/admin-command.ts');
  process.exitCode = await runAdmin(argv, { print, printError, env: process.env, fetch });
}

async function serve({ config, notes, warnings, isLocal }: ServeCommand, stopping: Stopping): Promise<void> {
  const log = createLog({ level: config.logLevel, format: config.logFormat, write: printError, now: Date.now });
  endOnBugs(log);
  sendConsoleToLog(log);
  for (const note of notes) log.info(note);
  for (const warning of warnings) log.warn(warning);
  const letYoungSpaceGrow = keepYoungSpaceSmall();
  // Loaded only now, so that a wrong option is reported without delay.
  const { startCluster } = await import('./cluster.ts');
  const cluster = await startCluster(config, log);
  if (stopping.started(cluster)) return;
  if (config.httpsCert !== undefined || config.auth !== undefined) renewOnSignal(cluster, log);
  const { addresses, adminAddresses } = cluster;
  const startUp = { config, version: version(), addresses, adminAddresses };
  printStartUp(startUp, { isLocal });
  const note = strangersNote(startUp);
  if (note !== undefined) log.info(note);
  letYoungSpaceGrow();
}

/** `dynaring init` and `dynaring serve`: one node of a cluster of several processes. */
async function runPeerCommand(kind: 'init' | 'serve', argv: readonly string[], stopping: Stopping): Promise<void> {
  const { parsePeerCommand } = await import('./config/parse-peer.ts');
  const command = parsePeerCommand(kind, argv, process.env);
  if (command.kind === 'serve') return servePeerProcess(command, stopping);
  const { initPeerDirectory } = await import('./env/peer-directory.ts');
  const { peer, dataDir, shape } = command;
  await initPeerDirectory(dataDir, peer.nodeId, { founders: peer.founders, ...shape });
  const { partitions, replication } = shape;
  print(`${dataDir} is the disk of ${peer.nodeId}, which founds a cluster with Q=${partitions} N=${replication}\n`);
}

async function servePeerProcess(command: PeerServeCommand, stopping: Stopping): Promise<void> {
  const { config } = command;
  const log = createLog({ level: config.logLevel, format: config.logFormat, write: printError, now: Date.now });
  endOnBugs(log);
  sendConsoleToLog(log);
  for (const note of command.notes) log.info(note);
  for (const warning of command.warnings) log.warn(warning);
  const { servePeer } = await import('./serve.ts');
  let served: ServedPeer;
  /** A disk that the cluster takes in becomes a node by another start, for which nothing else has to be done. */
  const run = async (): Promise<void> => {
    served = await servePeer({
      command,
      version: version(),
      log,
      onFatal: endRefused,
      onTakenIn() {
        log.info('the cluster has taken this disk in: starts again, as a node', { node: command.peer.nodeId });
        void served
          .stop()
          .then(() => (stopping.isStopping ? undefined : run()))
          .catch(endRefused);
      },
      onLeft() {
        log.info('this node has left the cluster: its directory may be removed', { node: command.peer.nodeId });
        void served.stop().then(() => process.exit(0), endRefused);
      },
    });
    if (stopping.started(served, PEER_STOP_WITHIN_MS)) return;
    const { ready, ...where } = served;
    const found = await ready;
    if (!stopping.isStopping) printPeerStartUp({ ...found, ...where, version: version() });
  };
  renewOnSignal({ renewSecurity: () => served?.renewSecurity() }, log);
  await run();
}

/** It cannot go on, by no bug of ours. What was acknowledged is on disk. */
function endRefused(error: Error): void {
  printError(`dynaring: ${inOneLine(error.message)}`);
  process.exit(STATUS_REFUSED);
}

function printPeerStartUp(startUp: PeerStartUp): void {
  const { logLevel, logFormat } = startUp.config;
  if (logFormat === 'json') {
    const log = createLog({ level: logLevel, format: logFormat, write: (line) => print(`${line}\n`), now: Date.now });
    log.info('ready', peerStartUpFields(startUp));
  } else if (logLevel === 'debug' || logLevel === 'info') print(peerStartUpText(startUp));
}

/**
 * The reader of our output may go away (`| head`), and the disk of a log may fill up. That is no bug, and no reason to
 * end a server that clients use, or an import under way.
 */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', () => {
      process.exitCode = STATUS_REFUSED;
    });
  }
}

interface Stoppable {
  stop(): Promise<void>;
}

interface Stopping {
  readonly isStopping: boolean;
  /** @returns whether a signal came during the start: then the cluster is being stopped already */
  started(cluster: Stoppable, withinMs?: number): boolean;
}

/** The first signal stops the server in order, a second one at once. */
function stopOnSignals(): Stopping {
  let isStopping = false;
  let running: Stoppable | undefined;
  let patienceMs = STOP_WITHIN_MS;
  const stop = async () => {
    await running?.stop();
    process.exit(0);
  };
  const onSignal = () => {
    if (isStopping) process.exit(STATUS_INTERRUPTED);
    isStopping = true;
    setTimeout(() => process.exit(0), patienceMs).unref();
    if (running !== undefined) void stop();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return {
    get isStopping() {
      return isStopping;
    },
    started(cluster, withinMs = STOP_WITHIN_MS) {
      running = cluster;
      patienceMs = withinMs;
      if (isStopping) void stop();
      return isStopping;
    },
  };
}

/** SIGHUP has certificate and access keys read again, as of servers that outlive a certificate. */
function renewOnSignal(served: { renewSecurity(): void }, log: Log): void {
  process.on('SIGHUP', () => {
    try {
      served.renewSecurity();
      log.info('certificate and access keys were read again');
    } catch (error) {
      log.error(`certificate and access keys stay as they were: ${messageOf(error)}`);
    }
  });
}

/**
 * Prints the start-up text on standard output, unless only warnings are wanted. `isLocal`: whether it begins as
 * DynamoDB Local's text does, for a program that waits for that. On a terminal there is none.
 */
function printStartUp(startUp: StartUp, { isLocal }: { readonly isLocal: boolean }): void {
  const { logLevel, logFormat } = startUp.config;
  if (logFormat === 'json') {
    const log = createLog({ level: logLevel, format: logFormat, write: (line) => print(`${line}\n`), now: Date.now });
    for (const { message, fields } of startUpEntries(startUp)) log.info(message, fields);
  } else if (logLevel === 'debug' || logLevel === 'info') {
    const isTerminal = process.stdout.isTTY === true;
    print(startUpText(startUp, { isLocal: isLocal || !isTerminal, isColoured: isTerminal && !process.env.NO_COLOR }));
  }
}

/** After a bug outside of a request the state in memory cannot be trusted; a restart reads the state on disk. */
function endOnBugs(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.error('ended by a bug', { error: error instanceof Error ? error.stack : error });
    process.exit(STATUS_BUG);
  });
}

/** An error of the operating system: the machine refuses something. */
function isOfSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

/** What the user is told: one line, or the stack of a bug. */
function messageOf(error: unknown): string {
  if (isRefusal(error))
    return inOneLine(error.option === undefined ? error.message : `${error.option} ${error.message}`);
  if (isOfSystem(error)) return systemMessageOf(error);
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function systemMessageOf(error: NodeJS.ErrnoException): string {
  const { code, syscall, address, port, hostname } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
    hostname?: string;
  };
  if (code === 'EADDRINUSE') return `port ${port} of ${address} is in use; --port chooses another`;
  if (code === 'EACCES' && port !== undefined) return `listening on port ${port} of ${address} is not allowed`;
  if (syscall === 'getaddrinfo') return `there is no host called ${hostname}; --host takes an address of this machine`;
  if (code === 'EADDRNOTAVAIL') return `this machine has no address ${address}; --host chooses another`;
  return inOneLine(error.message);
}

function inOneLine(message: string): string {
  return message.replaceAll(/\s*\n\s*/g, ' ');
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
