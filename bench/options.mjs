import { parseArgs } from 'node:util';

const HELP = `usage: npm run bench -- [options]
  --quick           about a minute: 400 B items only, no peers on disk, two short rounds (for CI)
  --only NAMES      comma-separated: bare, dynaring, dynalite, dynoxide, or one of them with its store, as dynaring-disk
  --workloads NAMES comma-separated: GetItem, PutItem, Mixed, DeleteItem, hot, overload, start, operations
  --sizes BYTES     comma-separated item sizes (default 400,4096)
  --seconds N       of each measurement (default 1)
  --rounds N        how often each is taken (default 5)
  --connections N   (default 64)
  --keys N          items in a table (default 10000)
  --help`;

/** The options of the command line, or undefined if it asked for help. */
export function readOptions(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      workloads: { type: 'string', default: 'GetItem,PutItem,Mixed,DeleteItem,hot,overload,start,operations' },
      sizes: { type: 'string' },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      connections: { type: 'string', default: '64' },
      keys: { type: 'string', default: '10000' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return undefined;
  }
  const quick = values.quick;
  return {
    quick,
    only: (values.only ?? (quick ? 'bare,dynaring,dynalite-memory,dynoxide-memory' : '')).split(',').filter(Boolean),
    workloads: values.workloads.split(','),
    sizes: (values.sizes ?? (quick ? '400' : '400,4096')).split(',').map((text) => number('sizes', text, 400, 102400)),
    seconds: number('seconds', values.seconds ?? (quick ? '0.4' : '1'), 0.1, 60),
    rounds: number('rounds', values.rounds ?? (quick ? '2' : '5'), 1, 50),
    connections: number('connections', values.connections, 1, 1000),
    keyCount: number('keys', values.keys, 1, 100_000),
  };
}

function number(name, text, least, most) {
  const value = Number(text);
  if (!(value >= least && value <= most)) throw new Error(`--${name} must be from ${least} to ${most}, not ${text}`);
  return value;
}
