import type { Config } from '../config.ts';
import type { Address } from '../env/peer-channel.ts';
import type { PeerRecord } from '../env/peer-record.ts';
import { endpointOf } from './endpoint.ts';

interface WebAddress {
  readonly host: string;
  readonly port: number;
}

/** What is printed when one process of a cluster can serve. */
export interface PeerStartUp {
  readonly version: string;
  readonly config: Config;
  /** What its disk is. */
  readonly record: PeerRecord;
  readonly addresses: readonly WebAddress[];
  readonly adminAddresses: readonly WebAddress[];
  readonly peerAddress: Address;
}

/** The start-up text for people: `is ready on` and the variables come in the same form as from a server of one process. */
export function peerStartUpText(startUp: PeerStartUp): string {
  const { version, config, record, addresses, peerAddress } = startUp;
  const { replication, writeQuorum, readQuorum, dataDir, durability } = config;
  const endpoints = addresses.map((address) => endpointOf(address, config));
  const admin = adminUrl(startUp);
  return [
    `dynaring ${version} is ready on ${endpoints.join(' and ')}`,
    `  node  ${record.name}, ${roleOf(record, dataDir)} of cluster ${record.cluster!.clusterId}`,
    `  peers ${textOf(peerAddress)}`,
    `  ring  N=${replication} W=${writeQuorum} R=${readQuorum}`,
    ...(dataDir === undefined ? [] : [`  data  in ${dataDir}, durability ${durability}`]),
    ...(admin === undefined ? [] : [`  look  curl ${admin}/status`]),
    '  use   any credentials and region will do:',
    `export AWS_ENDPOINT_URL_DYNAMODB=${endpoints[0]}`,
    'export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any',
    'export AWS_REGION=local AWS_DEFAULT_REGION=local',
    '',
  ].join('\n');
}

/** The same for machines. */
export function peerStartUpFields(startUp: PeerStartUp): Readonly<Record<string, unknown>> {
  const { version, config, record, addresses, adminAddresses, peerAddress } = startUp;
  const { replication, writeQuorum, readQuorum, dataDir = null, durability } = config;
  const admin = adminUrl(startUp);
  return {
    version,
    node: record.name,
    role: roleOf(record, config.dataDir),
    clusterId: record.cluster!.clusterId,
    endpoint: endpointOf(addresses[0]!, config),
    endpoints: addresses.map((address) => endpointOf(address, config)),
    adminEndpoints: adminAddresses.map((address) => endpointOf(address, config)),
    ...(admin !== undefined && { cluster: `${admin}/cluster`, status: `${admin}/status` }),
    peerAddress: textOf(peerAddress),
    replication,
    writeQuorum,
    readQuorum,
    dataDir,
    durability,
  };
}

function roleOf({ state }: PeerRecord, dataDir: string | undefined): string {
  if (dataDir === undefined) return 'a front';
  return state === 'formed' ? 'a node' : 'an empty disk';
}

function textOf(address: Address): string {
  if ('path' in address) return address.path;
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

/** The URL for administrators; undefined if there is none. */
function adminUrl({ config, addresses, adminAddresses }: PeerStartUp): string | undefined {
  if (!config.admin) return undefined;
  return `${endpointOf(adminAddresses[0] ?? addresses[0]!, config)}/_dynaring`;
}
