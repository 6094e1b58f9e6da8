import { styleText } from 'node:util';
import type { Config } from '../config.ts';
import { endpointOf } from './endpoint.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

/** What is printed at start-up. */
export interface StartUp {
  readonly config: Config;
  readonly version: string;
  readonly addresses: readonly Address[];
  readonly adminAddresses: readonly Address[];
}

/** Test containers wait for this line in the log of DynamoDB Local. */
const INITIALIZING = 'Initializing DynamoDB Local with the following configuration:';

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;

/** Clients insist on credentials; any will do. No line is wider than a terminal of 80 columns. */
const ANY_CREDENTIALS = 'export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any';
const ANY_REGION = 'export AWS_REGION=local AWS_DEFAULT_REGION=local';

/** The form of the start-up text. */
export interface StartUpLook {
  /** Whether to print the lines of DynamoDB Local first, for tools that wait for them. */
  readonly isLocal: boolean;
  /** For a terminal. */
  readonly isColoured: boolean;
}

/** The start-up text for people, and for tools that read DynamoDB Local's lines. */
export function startUpText(startUp: StartUp, { isLocal, isColoured }: StartUpLook): string {
  const { config, version, addresses } = startUp;
  const bold = (text: string) => (isColoured ? styleText('bold', text, { validateStream: false }) : text);
  const label = (text: string) => {
    const padded = text.padEnd(6);
    return `  ${isColoured ? styleText('dim', padded, { validateStream: false }) : padded}`;
  };
  const { nodes, replication, writeQuorum, readQuorum } = config;
  const endpoints = addresses.map((address) => endpointOf(address, config));
  const admin = adminUrl(startUp);
  return [
    ...(isLocal ? [INITIALIZING, ...localLines(startUp).map(([name, value]) => `${name}:\t${value}`), ''] : []),
    bold(`dynaring ${version} is ready on ${endpoints.join(' and ')}`),
    `${label('ring')}${nodes} ${nodes === 1 ? 'node' : 'nodes'}, N=${replication} W=${writeQuorum} R=${readQuorum}`,
    `${label('data')}${whereData(config)}`,
    ...(admin === undefined ? [] : [`${label('look')}curl ${admin}/status`]),
    `${label('use')}${config.auth === undefined ? 'any credentials and region will do' : 'with an access key of --auth'}:`,
    `export AWS_ENDPOINT_URL_DYNAMODB=${endpoints[0]}`,
    ...(config.auth === undefined ? [ANY_CREDENTIALS, ANY_REGION] : []),
    '',
  ].join('\n');
}

/** What users of other machines can do without a signature; undefined if nothing. */
export function strangersNote({ config, addresses, adminAddresses }: StartUp): string | undefined {
  if (config.auth !== undefined) {
    // Beside the operations, administrators of other machines are refused then.
    const open = config.admin ? openAmong(adminAddresses) : '';
    if (open === '') return undefined;
    return `whoever reaches ${open} may ${ADMINISTER}: administrators sign nothing; --no-admin keeps them out`;
  }
  const open = openAmong([...addresses, ...adminAddresses]);
  if (open === '') return undefined;
  const [may, remedy] = config.admin
    ? [ADMINISTER, '--no-admin leaves the data, --host 127.0.0.1 nothing']
    : [READ_AND_CHANGE, '--host 127.0.0.1 keeps them out'];
  return `whoever reaches ${open} may ${may}: no signature is verified; ${remedy}`;
}

const READ_AND_CHANGE = 'read and change all data';
const ADMINISTER = `${READ_AND_CHANGE}, stop its nodes and wipe their disks`;

/** Those of the addresses that other machines reach. */
function openAmong(addresses: readonly Address[]): string {
  return addresses
    .filter(({ host }) => !LOOPBACK.test(host))
    .map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`))
    .join(' and ');
}

/** The start-up text for machines: messages with fields, one object per line. */
export function startUpEntries(
  startUp: StartUp,
): readonly { readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[] {
  const { config, version, addresses, adminAddresses } = startUp;
  const { nodes, replication, writeQuorum, readQuorum, dataDir = null, durability } = config;
  const admin = adminUrl(startUp);
  return [
    { message: INITIALIZING, fields: Object.fromEntries(localLines(startUp).map(camelCased)) },
    {
      message: 'ready',
      fields: {
        version,
        endpoint: endpointOf(addresses[0]!, config),
        endpoints: addresses.map((address) => endpointOf(address, config)),
        adminEndpoints: adminAddresses.map((address) => endpointOf(address, config)),
        ...(admin !== undefined && { cluster: `${admin}/cluster`, status: `${admin}/status` }),
        nodes,
        replication,
        writeQuorum,
        readQuorum,
        dataDir,
        durability,
      },
    },
  ];
}

/** The configuration as DynamoDB Local 2 prints it. */
function localLines({ config, version, addresses }: StartUp) {
  return [
    ['Port', addresses[0]!.port],
    ['InMemory', config.dataDir === undefined],
    ['Version', version],
    ['DbPath', config.dataDir ?? null],
    ['SharedDb', config.isolate === 'none'],
    ['shouldDelayTransientStatuses', config.delayTransientStatuses],
    ['CorsParams', config.corsOrigins.join(',')],
  ] as const;
}

function camelCased([name, value]: readonly [string, unknown]): [string, unknown] {
  return [name.charAt(0).toLowerCase() + name.slice(1), value];
}

function whereData({ dataDir, durability }: Config): string {
  if (dataDir === undefined) return 'in memory, gone at exit; --data-dir DIR keeps it';
  return `in ${dataDir}, durability ${durability}`;
}

/** The URL for administrators; undefined if there is none. */
function adminUrl({ config, addresses, adminAddresses }: StartUp): string | undefined {
  if (!config.admin) return undefined;
  return `${endpointOf(adminAddresses[0] ?? addresses[0]!, config)}/_dynaring`;
}
