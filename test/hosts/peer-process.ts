import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { beginServer, clientOf, type Exit, runToExit } from '../processes/server-process.ts';

/** Far above what a start takes. */
const PATIENCE_MS = 60_000;
const POLL_MS = 20;

export interface PeerProcess {
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly exited: Promise<Exit>;
  /** Where it listens for peers: `127.0.0.1:41234`. */
  peerAddress(): Promise<string>;
  /** Resolves with where it listens for clients, once it says that it is ready. */
  ready(): Promise<string>;
  /** Sends the signal, and waits for the end. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<Exit>;
  /** Sends the signal, and waits for nothing. */
  signal(signal: NodeJS.Signals): void;
  /** Once it is ready. A client that tries each command once, closed with the test. */
  client(): Promise<DynamoDBClient>;
}

interface Init {
  /** Those of them that have a disk here. Default: all. */
  readonly names?: readonly string[];
  /** Of another build. */
  readonly cli?: string | undefined;
}

/** `dynaring init` for each name, in a folder of its own below `root`. */
export async function initPeers(root: string, founders: readonly string[], { names = founders, cli }: Init = {}) {
  for (const name of names) {
    const args = ['init', '--node-id', name, '--founders', founders.join(), '--data-dir', join(root, name)];
    const { status, stderr } = await runToExit([...args, '--partitions', '16'], { cli });
    if (status !== 0) throw new Error(stderr);
  }
}

/** Where a peer runs, and listens. By default on loopback, on ports that the system chooses. */
export interface Place {
  /** Where others reach it. */
  readonly host?: string;
  /** Where it listens, if that is not `host`: `0.0.0.0`. */
  readonly listen?: string;
  readonly port?: string;
  readonly peerPort?: string;
  /** A program that runs it, with its arguments: signals go to it. */
  readonly under?: readonly string[];
  /** Of another build. Default: that of this one. */
  readonly cli?: string;
}

/** Starts `dynaring serve`, and waits for nothing. It is killed with the test at the latest. */
export function beginPeer(name: string, args: readonly string[], place: Place = {}): PeerProcess {
  const { host = '127.0.0.1', listen: own = host, port = '0', peerPort = '0', under, cli } = place;
  const listen = ['--port', port, '--host', own, '--peer-listen', `${own}:${peerPort}`];
  const { child, exited, output } = beginServer(['serve', '--node-id', name, ...listen, ...args], {
    under,
    cli,
    endBy: 'SIGKILL',
  });
  const find = async (what: string, pattern: RegExp, text: () => string): Promise<string> => {
    const isOver = exited.then(() => true);
    for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += POLL_MS) {
      const found = pattern.exec(text())?.[1];
      if (found !== undefined) return found;
      if ((await Promise.race([isOver, sleep(POLL_MS, false, { ref: false })])) === true) break;
    }
    throw new Error(`${name} says no ${what}: ${output.stdout}${output.stderr}`);
  };
  const ready = () => find('endpoint', /^export AWS_ENDPOINT_URL_DYNAMODB=(\S+)$/m, () => output.stdout);
  return {
    pid: child.pid!,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    exited,
    peerAddress: () => find('address', /listens for peers .*address=(\S+)/, () => output.stderr),
    ready,
    stop: (signal) => {
      child.kill(signal);
      return exited;
    },
    signal: (signal) => {
      child.kill(signal);
    },
    client: async () => clientOf(await ready()),
  };
}

/** Starts a node on its folder below `root`. */
export function beginNode(root: string, name: string, join_: readonly string[] = []): PeerProcess {
  const joining = join_.length === 0 ? [] : ['--join', join_.join()];
  return beginPeer(name, ['--data-dir', join(root, name), ...joining]);
}

/** Asks an administrator's route until it answers 200. @returns its JSON */
export async function administer(endpoint: string, method: string, path: string): Promise<unknown> {
  const answer = await fetch(`${endpoint}/_dynaring${path}`, { method });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? undefined : await answer.json();
}
