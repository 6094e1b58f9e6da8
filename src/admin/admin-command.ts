import { parseArgs } from 'node:util';
import type { ClusterView, RepairSummary } from '../api/admin.ts';

const STATUS_DONE = 0;
/** The cluster is not healthy, or refuses what was asked of it, or cannot be asked. */
const STATUS_REFUSED = 1;
const STATUS_USAGE = 2;

/** Of the server at the other end. It takes long to repair, or to remove a node of a single process. */
const PATIENCE_MS = 10 * 60_000;

/** What the command needs of the world. */
export interface AdminWorld {
  print(text: string): void;
  printError(line: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fetch: typeof fetch;
}

const HELP = `Usage: dynaring admin COMMAND [--endpoint URL] [--json]

Asks a running server, any process of a cluster:
  status          an overview; exit status 0 if all is well, 1 if not
  ring            which nodes hold which partition, and what is not as it should be there
  add             adds a node to a server of one process; to a cluster, dynaring serve --join adds its own
  remove NAME     takes a node out for ever: its partitions move to others, then its process ends
  replace NAME    gives a node whose disk is lost the empty disk of the process that waits under its name
  move PARTITION --to NAME,NAME,NAME
                  has a partition of a cluster held by these nodes
  finalize        after an upgrade of all nodes: uses what the new release can; older ones are refused then
  set [SETTING VALUE]
                  changes what all processes of a cluster answer by, from their next start; or says what is set
  repair          compares all replicas, and brings those up to date that are behind

--endpoint URL    where it is (AWS_ENDPOINT_URL_DYNAMODB, or http://127.0.0.1:8000)
--json            for programs: one object

Exit status: 0 done or healthy, 1 refused or not healthy, 2 wrong usage.
`;

class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** One line for the user. */
class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: object;
}

interface Asked {
  readonly endpoint: string;
  readonly isJson: boolean;
  /** Of `move`: names of nodes. */
  readonly to: string | undefined;
  readonly operands: readonly string[];
}

/**
 * Runs `dynaring admin` to its end.
 *
 * @returns the exit status
 */
export async function runAdmin(argv: readonly string[], world: AdminWorld): Promise<number> {
  try {
    const asked = parse(argv, world.env);
    if (asked === undefined) {
      world.print(HELP);
      return STATUS_DONE;
    }
    return await run(asked, world);
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof RefusedError)) throw error;
    world.printError(`dynaring: ${error.message}`);
    return error instanceof UsageError ? STATUS_USAGE : STATUS_REFUSED;
  }
}

/** @returns undefined if help is wanted */
function parse(argv: readonly string[], env: AdminWorld['env']): Asked | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        endpoint: { type: 'string' },
        json: { type: 'boolean', default: false },
        to: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return undefined;
    const endpoint = values.endpoint ?? (env.AWS_ENDPOINT_URL_DYNAMODB || 'http://127.0.0.1:8000');
    if (!URL.canParse(endpoint)) throw new UsageError(`--endpoint must be a URL, not ${JSON.stringify(endpoint)}`);
    return { endpoint: endpoint.replace(/\/+$/, ''), isJson: values.json, to: values.to, operands: positionals };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${(error as Error).message.split('.')[0]}; dynaring admin --help tells the usage`);
  }
}

/** What each command takes after it, in words. */
const OPERANDS: Readonly<Record<string, string | undefined>> = {
  status: undefined,
  ring: undefined,
  add: undefined,
  remove: 'the name of a node',
  replace: 'the name of a node',
  move: 'the number of a partition',
  finalize: undefined,
  set: undefined,
  repair: undefined,
};

async function run(asked: Asked, world: AdminWorld): Promise<number> {
  if (asked.operands[0] === 'set') return set(asked, world);
  const [command = '', operand, ...others] = asked.operands;
  if (!Object.hasOwn(OPERANDS, command)) {
    const given = command === '' ? 'a command is missing' : `there is no command ${JSON.stringify(command)}`;
    throw new UsageError(`${given}: it is one of ${Object.keys(OPERANDS).join(', ')}`);
  }
  const wanted = OPERANDS[command];
  if (wanted !== undefined && operand === undefined) throw new UsageError(`admin ${command} needs ${wanted}`);
  const most = wanted === undefined ? 0 : 1;
  if (asked.operands.length - 1 > most || others.length > 0) throw new UsageError(`admin ${command} takes no more`);
  if (asked.to !== undefined && command !== 'move') throw new UsageError(`admin ${command} takes no --to`);
  const of = encodeURIComponent(operand ?? '');
  switch (command) {
    case 'status':
      return status(asked, world);
    case 'ring':
      return ring(asked, world);
    case 'add':
      return act({ method: 'POST', path: '/nodes' }, asked, world);
    case 'remove':
      return act({ method: 'DELETE', path: `/nodes/${of}` }, asked, world);
    case 'replace':
      return act({ method: 'POST', path: `/nodes/${of}/replace` }, asked, world);
    case 'move': {
      if (asked.to === undefined) throw new UsageError('admin move needs --to, the names of nodes with commas between');
      const to = asked.to.split(',').map((name) => name.trim());
      return act({ method: 'POST', path: `/partitions/${of}/move`, body: { to } }, asked, world);
    }
    case 'finalize':
      return act({ method: 'POST', path: '/finalize' }, asked, world);
    default:
      return repair(asked, world);
  }
}

/** Without operands: says what is set. */
async function set(asked: Asked, world: AdminWorld): Promise<number> {
  const [, name, value, ...others] = asked.operands;
  if (others.length > 0) throw new UsageError('admin set takes a setting and its value');
  if (name !== undefined && value === undefined) throw new UsageError(`admin set ${name} needs a value`);
  const call: Call =
    name === undefined
      ? { method: 'GET', path: '/settings' }
      : { method: 'PUT', path: '/settings', body: { [name]: value } };
  const { json, text } = await ask(call, asked, world);
  const lines = Object.entries(json).map((entry) => `${entry.join(' ')}\n`);
  world.print(asked.isJson ? `${text.trim()}\n` : lines.join(''));
  return STATUS_DONE;
}

async function status(asked: Asked, world: AdminWorld): Promise<number> {
  const view = await cluster(asked, world);
  if (asked.isJson) world.print(`${JSON.stringify(view)}\n`);
  else {
    const { text } = await ask({ method: 'GET', path: '/status' }, asked, world);
    world.print(`${view.healthy ? 'healthy' : 'NOT HEALTHY'}\n${text}`);
  }
  return view.healthy ? STATUS_DONE : STATUS_REFUSED;
}

async function ring(asked: Asked, world: AdminWorld): Promise<number> {
  const { nodes, partitions } = await cluster(asked, world);
  if (asked.isJson) world.print(`${JSON.stringify({ partitions })}\n`);
  else {
    const names = new Map(nodes.map(({ id, name }) => [id, name]));
    const namesOf = (ids: readonly string[]) => ids.map((id) => names.get(id) ?? id).join(' ');
    const rows = partitions.map((each) => [
      String(each.partition),
      String(each.epoch),
      namesOf(each.homes),
      remarkOf(each, namesOf),
    ]);
    const all = [['partition', 'epoch', 'nodes', ''], ...rows];
    const widths = [0, 1, 2].map((at) => Math.max(...all.map((row) => row[at]!.length)));
    const lines = all.map(([partition, epoch, homes, remark]) => {
      const line = `${partition!.padStart(widths[0]!)}  ${epoch!.padStart(widths[1]!)}  ${homes!.padEnd(widths[2]!)}`;
      return `${`${line}  ${remark}`.trimEnd()}\n`;
    });
    // At once: whoever reads the first lines alone, as `head` does, may have gone before the others.
    world.print(lines.join(''));
  }
  return STATUS_DONE;
}

/** What is not as it should be with a partition. */
function remarkOf(
  { notVoting, moveTo, movedBy }: ClusterView['partitions'][number],
  namesOf: (ids: readonly string[]) => string,
): string {
  const remarks: string[] = [];
  if (notVoting.length > 0) remarks.push(`no vote: ${namesOf(notVoting)}`);
  if (moveTo !== undefined) remarks.push(`${movedBy === undefined ? 'to move' : 'moves'} to ${namesOf(moveTo)}`);
  return remarks.join('; ');
}

async function repair(asked: Asked, world: AdminWorld): Promise<number> {
  const { json, text } = await ask({ method: 'POST', path: '/repair' }, asked, world);
  const { partitions, recordsRepaired, ms } = json as RepairSummary;
  const line = `${partitions} comparisons of replicas brought ${recordsRepaired} records up to date, in ${Math.round(ms)} ms`;
  world.print(asked.isJson ? `${text.trim()}\n` : `${line}\n`);
  return STATUS_DONE;
}

async function cluster(asked: Asked, world: AdminWorld): Promise<ClusterView> {
  return (await ask({ method: 'GET', path: '/cluster' }, asked, world)).json as ClusterView;
}

/** Has something done, and says what. */
async function act(call: Call, asked: Asked, world: AdminWorld): Promise<number> {
  const { json, text } = await ask(call, asked, world);
  const { done } = json as { readonly done?: string };
  world.print(asked.isJson || done === undefined ? `${text.trim()}\n` : `${done}\n`);
  return STATUS_DONE;
}

async function ask(
  { method, path, body }: Call,
  { endpoint }: Asked,
  world: AdminWorld,
): Promise<{ readonly text: string; readonly json: object }> {
  const url = `${endpoint}/_dynaring${path}`;
  let answer: Response;
  let text: string;
  try {
    // A name of the public DNS is believed of tools only if they say that they are none of a page's.
    const headers = { 'sec-fetch-site': 'none', ...(body && { 'content-type': 'application/json' }) };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    answer = await world.fetch(url, { method, headers, ...sent, signal: AbortSignal.timeout(PATIENCE_MS) });
    text = await answer.text();
  } catch (error) {
    const { message, cause } = error as Error & { readonly cause?: { readonly code?: string } };
    throw new RefusedError(`${endpoint} cannot be asked: ${cause?.code ?? message}`);
  }
  const json = jsonOf(text);
  if (answer.ok) return { text, json };
  const { error } = json as { readonly error?: string };
  throw new RefusedError(error ?? `${method} ${url} is answered with ${answer.status}`);
}

function jsonOf(text: string): object {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
