import { parseArgs } from 'node:util';
import { MOST_INDEXES } from './items.mjs';
import { QUERY_FORMS } from './tables.mjs';

const HELP = `usage: npm run bench -- [options]
  --quick           about three minutes: 400 B items only, no peers on disk, two short rounds (for CI)
  --only NAMES      comma-separated: bare, dynaring, base, dynalite, dynoxide, or one of them with its store, as dynaring-disk
  --workloads NAMES comma-separated: GetItem, PutItem, Mixed, DeleteItem, hot, overload, start, operations,
                    and of the first size alone Query, Scan, BatchGetItem, BatchWriteItem, UpdateItem, indexes,
                    TransactWriteItems, TransactGetItems, GetRecords, streams
  --sizes BYTES     comma-separated item sizes (default 400,4096)
  --seconds N       of each measurement (default 1)
  --rounds N        how often each is taken (default 5)
  --connections N   (default 64)
  --keys N          items in a table (default 10000)
  --counts NUMBERS  Query: items of a partition (default 1,100,2000)
  --forms NAMES     Query: forward, backward, filter, gsi, lsi (default all)
  --scan-items N    Scan: items of the table (default 100000)
  --index-counts N  indexes: PutItem into tables with so many global indexes (default 0,1,5)
  --base DIR        another build of Dynaring, measured beside this one as base-memory, base-process and base-disk
  --help`;

const ALL =
  'GetItem,PutItem,Mixed,DeleteItem,hot,overload,start,operations,' +
  'Query,Scan,BatchGetItem,BatchWriteItem,UpdateItem,indexes,TransactWriteItems,TransactGetItems,GetRecords,streams';

/** The options of the command line, or undefined if it asked for help. */
export function readOptions(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      workloads: { type: 'string', default: ALL },
      sizes: { type: 'string' },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      connections: { type: 'string', default: '64' },
      keys: { type: 'string', default: '10000' },
      counts: { type: 'string' },
      forms: { type: 'string', default: Object.keys(QUERY_FORMS).join(',') },
      'scan-items': { type: 'string' },
      'index-counts': { type: 'string', default: '0,1,5' },
      base: { type: 'string' },
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
    workloads: names('workloads', values.workloads, ALL.split(',')),
    sizes: numbers('sizes', values.sizes ?? (quick ? '400' : '400,4096'), 400, 102400),
    seconds: number('seconds', values.seconds ?? (quick ? '0.4' : '1'), 0.1, 60),
    rounds: number('rounds', values.rounds ?? (quick ? '2' : '5'), 1, 50),
    connections: number('connections', values.connections, 1, 1000),
    keyCount: number('keys', values.keys, 1, 100_000),
    counts: numbers('counts', values.counts ?? (quick ? '100' : '1,100,2000'), 1, 2400),
    forms: names('forms', values.forms, Object.keys(QUERY_FORMS)),
    scanItems: number('scan-items', values['scan-items'] ?? (quick ? '5000' : '100000'), 1, 1_000_000),
    indexCounts: numbers('index-counts', values['index-counts'], 0, MOST_INDEXES),
    base: values.base,
  };
}

function number(name, text, least, most) {
  const value = Number(text);
  if (!(value >= least && value <= most)) throw new Error(`--${name} must be from ${least} to ${most}, not ${text}`);
  return value;
}

function numbers(name, text, least, most) {
  return text.split(',').map((each) => number(name, each, least, most));
}

function names(name, text, known) {
  const found = text.split(',');
  for (const each of found) {
    if (!known.includes(each)) throw new Error(`--${name} may have ${known.join(', ')}, not ${each}`);
  }
  return found;
}
