import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { temporaryDirectory } from '../parts/directory.ts';
import { clientOf } from '../processes/server-process.ts';
import { administer, beginPeer, initPeers, type PeerProcess, type Place } from './peer-process.ts';

/** A node of a cluster: one process after the other, on one disk and on the ports that its first process was given. */
export class HostNode {
  readonly name: string;
  readonly dataDir: string;
  readonly #arguments: () => readonly string[];
  #place: Place;
  #process: PeerProcess | undefined;

  /** @param moreArguments of each process: asked for when one begins */
  constructor(name: string, dataDir: string, place: Place, moreArguments: () => readonly string[]) {
    this.name = name;
    this.dataDir = dataDir;
    this.#place = place;
    this.#arguments = moreArguments;
  }

  /** The process that runs, or ran last. */
  get process(): PeerProcess {
    if (this.#process === undefined) throw new Error(`${this.name} was never begun`);
    return this.#process;
  }

  /** Where clients reach it. Known from when it was ready first, and the same ever after. */
  get endpoint(): string {
    const { host = '127.0.0.1', port } = this.#place;
    if (port === undefined) throw new Error(`${this.name} was never ready`);
    return `http://${host}:${port}`;
  }

  /** From its next start on it is somewhere else, or of another build. */
  move(place: Partial<Place>): void {
    this.#place = { ...this.#place, ...place };
  }

  /** Starts a process, and waits for nothing. */
  begin(): void {
    this.#process = beginPeer(this.name, ['--data-dir', this.dataDir, ...this.#arguments()], this.#place);
  }

  /** Resolves once it serves. */
  async ready(): Promise<void> {
    const { port } = new URL(await this.process.ready());
    const peer = await this.process.peerAddress();
    this.#place = { ...this.#place, port, peerPort: peer.split(':')[1]! };
  }

  async restart(): Promise<void> {
    this.begin();
    await this.ready();
  }

  /** Asks one of an administrator's routes. */
  administer(method: string, path: string): Promise<unknown> {
    return administer(this.endpoint, method, path);
  }
}

/** A cluster of processes, which all end with the test. */
export interface HostCluster {
  readonly nodes: readonly HostNode[];
  /** One client for each node, in the order of the nodes, that tries each command once. */
  readonly clients: readonly DynamoDBClient[];
}

/** A cluster, and how further nodes find it. */
export interface LocalCluster extends HostCluster {
  /** A node of this name on an empty disk, which knows where the others are. Not begun. */
  readonly newNode: (name: string) => HostNode;
}

interface Founding {
  /** Of nodes whose data is not where that of the others is. */
  readonly directories?: Readonly<Record<string, string>>;
  /** Of another build. */
  readonly cli?: string;
  /** What each of its processes is told besides. */
  readonly args?: readonly string[];
}

/** Founds a cluster of these nodes on loopback; resolves once each of them serves. */
export async function foundCluster(
  names: readonly string[],
  { directories = {}, cli, args = [] }: Founding = {},
): Promise<LocalCluster> {
  const root = temporaryDirectory();
  for (const [name, path] of Object.entries(directories)) {
    mkdirSync(path);
    symlinkSync(path, join(root, name));
  }
  await initPeers(root, names, { cli });
  const meeting: string[] = [];
  const joining = () => (meeting.length === 0 ? args : ['--join', meeting.join(), ...args]);
  const place = cli === undefined ? {} : { cli };
  const newNode = (name: string) => new HostNode(name, join(root, name), place, joining);
  const nodes = names.map(newNode);
  // The first has nobody to join: the others find it, and it hears of them.
  nodes[0]!.begin();
  meeting.push(await nodes[0]!.process.peerAddress());
  for (const node of nodes.slice(1)) node.begin();
  for (const node of nodes) await node.ready();
  for (const node of nodes.slice(1)) meeting.push(await node.process.peerAddress());
  return { nodes, clients: nodes.map(({ endpoint }) => clientOf(endpoint)), newNode };
}
