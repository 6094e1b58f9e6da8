import { indexedTitle } from './plans.mjs';

const PEER = 'bare';

/** The project's targets for 400 B items. `valueOf` finds the figure of each in the results. */
const TARGETS = [
  { what: 'GetItem CPU, times bare', server: 'dynaring-memory', most: 1.6, valueOf: ratioIn('GetItem 400 B') },
  { what: 'PutItem CPU, times bare', server: 'dynaring-memory', most: 4, valueOf: ratioIn('PutItem 400 B') },
  { what: 'PutItem CPU, times bare', server: 'dynaring-disk', most: 6, valueOf: ratioIn('PutItem 400 B') },
  { what: 'start, ms', server: 'dynaring-memory', most: 300, valueOf: startMs },
  { what: 'resident memory idle, MB', server: 'dynaring-memory', most: 80, valueOf: memory('idle', 'now') },
  {
    what: 'resident memory under load, MB',
    server: 'dynaring-memory',
    most: 300,
    valueOf: memory('underLoad', 'peak'),
  },
  { what: 'PutItem with a GSI, times without', server: 'dynaring-memory', most: 2.2, valueOf: costOfIndex },
  {
    what: 'Query of 100, an item, times the best peer',
    server: 'dynaring-memory',
    most: 1,
    valueOf: toBestPeer('Query 100 forward'),
  },
  { what: 'Scan, an item, times the best peer', server: 'dynaring-memory', most: 1, valueOf: toBestPeer('Scan') },
  {
    what: 'TransactWriteItems of 2, times two PutItems',
    server: 'dynaring-memory',
    most: 4,
    valueOf: costOfTransaction,
  },
  {
    what: 'TransactWriteItems of 10, an item, times the best peer',
    server: 'dynaring-memory',
    most: 1,
    valueOf: toBestPeer('TransactWriteItems of 10'),
  },
];

/** The results of a run as Markdown. */
export function report(results) {
  const { machine, options } = results;
  return [
    `## Bench of ${machine.at.slice(0, 10)}`,
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node.slice(1)}; ${options.connections} connections, ` +
      `${options.keyCount} keys, medians of ${options.rounds} rounds of ${options.seconds} s, all servers in turn. ` +
      'CPU is the server\'s, all threads, per request; "x bare" is the median of the rounds\' ratios.',
    ...comparisonTable(results),
    ...summaryTable(results),
    ...manyItemsTable(results),
    ...leftOutList(results),
    ...titlesOf(results).flatMap((title) => workloadTable(results, title)),
    ...startTable(results),
    ...memoryTable(results),
    ...results.overload.flatMap(overloadTable),
    ...targetTable(results),
  ].join('\n\n');
}

/** A comparison of the servers for a user who has to choose one; it is the table in the README. */
function comparisonTable(results) {
  if (results.operations.length === 0) return [];
  const cpu = (title, server) => {
    const { cpuUs, ratio } = figures(results, title, server);
    return cpuUs === undefined ? '-' : `${cpuUs.toFixed(0)} (${times(ratio)})`;
  };
  const rows = results.operations.map(({ server, served, known }) => [
    server,
    `${served.length} of ${known}`,
    whole(startMs(results, server)),
    whole(memory('idle', 'now')(results, server)),
    cpu('GetItem 400 B', server),
    cpu('PutItem 400 B', server),
  ]);
  const header = ['server', 'operations answered', 'start ms', 'idle MB', 'GetItem CPU us', 'PutItem CPU us'];
  return ['### Comparison', table(header, rows)];
}

function summaryTable(results) {
  const titles = titlesOf(results).filter((title) => !isOfTables(results, title));
  if (titles.length === 0) return [];
  const rows = serversOf(slicesOf(results, titles)).map((server) => [
    server,
    ...titles.map((title) => {
      const { cpuUs, ratio } = figures(results, title, server);
      return `${cpuUs.toFixed(0)} (${times(ratio)})`;
    }),
  ]);
  return ['### CPU per request, us (times bare)', table(['server', ...titles], rows)];
}

/** What the plans of tables cost: for each request, and below it for each item that a request reads or writes. */
function manyItemsTable(results) {
  const titles = titlesOf(results).filter((title) => isOfTables(results, title));
  if (titles.length === 0) return [];
  const servers = serversOf(slicesOf(results, titles));
  const rowsOf = (cell) =>
    titles.map((title) => [title, ...servers.map((server) => cell(figures(results, title, server)))]);
  const request = rowsOf(({ cpuUs, ratio }) => (cpuUs === undefined ? '-' : `${cpuUs.toFixed(0)} (${times(ratio)})`));
  const item = rowsOf(({ itemUs }) => (itemUs === undefined ? '-' : itemUs.toFixed(2)));
  return [
    '### CPU per request, us (times bare), of many items and of indexes',
    table(['', ...servers], request),
    '### CPU per item, us: items that are looked at or written',
    table(['', ...servers], item),
  ];
}

function leftOutList({ leftOut }) {
  return leftOut.map(({ server, table, why }) => `${server} has no table ${table}: ${why}`);
}

function workloadTable(results, title) {
  const rows = serversOf(slicesOf(results, [title])).map((server) => {
    const of = figures(results, title, server);
    return [
      server,
      of.perSecond.toFixed(0),
      of.p50Ms.toFixed(2),
      of.p99Ms.toFixed(2),
      of.cpuUs.toFixed(1),
      `${of.cpuLeastUs.toFixed(1)} to ${of.cpuMostUs.toFixed(1)}`,
      times(of.ratio),
      of.bytes.toFixed(0),
      of.failures === '' ? '' : `not 200: ${of.failures}`,
    ];
  });
  const header = ['server', 'requests/s', 'p50 ms', 'p99 ms', 'CPU us', 'rounds', 'x bare', 'answer B', ''];
  const slow = results.slices.filter((slice) => slice.title === title && slice.loadCpuUs > slice.elapsedMs * 900);
  const limited = [...new Set(slow.map((slice) => slice.server))];
  const note = limited.length === 0 ? [] : [`The generator was at its own limit with: ${limited.join(', ')}.`];
  return [`### ${title}`, table(header, rows), ...note];
}

function startTable({ starts }) {
  if (starts.length === 0) return [];
  const rows = serversOf(starts).map((server) => {
    const own = starts.filter((each) => each.server === server);
    return [
      server,
      whole(median(own.map((each) => each.startMs))),
      whole(Math.min(...own.map((each) => each.startMs))),
      whole(median(own.map((each) => each.startCpuMs))),
    ];
  });
  return ['### Start, spawn to first answer', table(['server', 'median ms', 'least ms', 'CPU ms'], rows)];
}

function memoryTable({ memory }) {
  if (memory.length === 0) return [];
  const sizes = [...new Set(memory.map((each) => each.itemBytes))];
  const header = ['server', 'idle', ...sizes.flatMap((bytes) => [`after ${bytes} B`, 'anonymous', 'peak'])];
  const rows = serversOf(memory).map((server) => {
    const own = memory.filter((each) => each.server === server);
    const loads = own.flatMap(({ underLoad }) => [underLoad.now, underLoad.anonymous, underLoad.peak]);
    return [server, whole(own[0].idle.now), ...loads.map(whole)];
  });
  return ['### Resident memory, MB', table(header, rows)];
}

function overloadTable({ server, steps }) {
  const rows = steps.map((step) => [
    step.label,
    ...(step.failed === undefined
      ? [
          whole(((step.statuses[200] ?? 0) * 1000) / step.elapsedMs),
          whole(((step.statuses[503] ?? 0) * 1000) / step.elapsedMs),
          failures(step.statuses, ['200', '503']),
          step.p50Ms.toFixed(0),
          step.p99Ms.toFixed(0),
        ]
      : ['', '', step.failed, '', '']),
    whole(step.peakMb),
    whole(step.peakAnonymousMb),
  ]);
  const header = ['load', '200/s', '503/s', 'other', 'p50 ms', 'p99 ms', 'peak MB', 'anonymous MB'];
  return [`### Overload of ${server}, PutItem`, table(header, rows)];
}

function targetTable(results) {
  const rows = TARGETS.map((target) => ({ ...target, value: target.valueOf(results, target.server) }))
    .filter(({ value }) => value !== undefined && !Number.isNaN(value))
    .map(({ what, server, most, value }) => [
      `${what} (${server})`,
      String(most),
      value.toFixed(most < 10 ? 2 : 0),
      value <= most ? 'reached' : 'missed',
    ]);
  return rows.length === 0 ? [] : ['### Targets', table(['target', 'at most', 'measured', ''], rows)];
}

// ---- figures

function figures(results, title, server) {
  const slices = results.slices.filter((slice) => slice.title === title && slice.server === server);
  const cpu = slices.map(cpuOf);
  const statuses = {};
  for (const slice of slices) {
    for (const [status, count] of Object.entries(slice.statuses)) statuses[status] = (statuses[status] ?? 0) + count;
  }
  return {
    perSecond: median(slices.map((slice) => (slice.requests * 1000) / slice.elapsedMs)),
    p50Ms: median(slices.map((slice) => slice.p50Ms)),
    p99Ms: median(slices.map((slice) => slice.p99Ms)),
    bytes: median(slices.map((slice) => slice.bodyBytes / slice.requests)),
    itemUs: median(slices.map(itemCpuOf)),
    cpuUs: median(cpu),
    cpuLeastUs: Math.min(...cpu),
    cpuMostUs: Math.max(...cpu),
    ratio: median(slices.map((slice) => cpuOf(slice) / cpuOf(bareBeside(results, slice))).filter(Number.isFinite)),
    failures: failures(statuses, ['200']),
  };
}

function cpuOf(slice) {
  return slice === undefined ? Number.NaN : slice.serverCpuUs / slice.requests;
}

function itemCpuOf(slice) {
  return slice.serverCpuUs / slice.items;
}

/** Of PutItem, with one GSI to none, each round by itself. */
function costOfIndex(results, server) {
  const of = (indexes) =>
    results.slices.filter((slice) => slice.server === server && slice.title === indexedTitle(indexes));
  return median(of(1).map((slice, at) => cpuOf(slice) / cpuOf(of(0)[at])));
}

/** Of two items put together, to the same put one by one, each round by itself. */
function costOfTransaction(results, server) {
  const of = (title) => results.slices.filter((slice) => slice.server === server && slice.title === title);
  const puts = of(indexedTitle(0));
  return median(of('TransactWriteItems of 2').map((slice, at) => cpuOf(slice) / (2 * cpuOf(puts[at]))));
}

/** For an item, to the peer that takes the least. */
function toBestPeer(prefix) {
  return (results, server) => {
    const title = titlesOf(results).find((each) => each.startsWith(prefix));
    if (title === undefined) return undefined;
    const isPeer = (name) => !/^(bare|dynaring|base)/.test(name);
    const peers = serversOf(slicesOf(results, [title])).filter(isPeer);
    if (peers.length === 0) return undefined;
    const itemUs = (name) => figures(results, title, name).itemUs;
    return itemUs(server) / Math.min(...peers.map(itemUs));
  };
}

function bareBeside(results, { title, round }) {
  return results.slices.find((slice) => slice.server === PEER && slice.title === title && slice.round === round);
}

function ratioIn(title) {
  return (results, server) => figures(results, title, server).ratio;
}

function startMs(results, server) {
  return median(results.starts.filter((each) => each.server === server).map((each) => each.startMs));
}

function memory(when, field) {
  return (results, server) =>
    results.memory.find((each) => each.server === server && each.itemBytes === 400)?.[when][field];
}

function failures(statuses, expected) {
  return Object.entries(statuses)
    .filter(([status]) => !expected.includes(status))
    .map(([status, count]) => `${count} x ${status === '0' ? 'broken' : status}`)
    .join(', ');
}

/** Whether a title is one of those that have tables of their own. */
function isOfTables(results, title) {
  return results.slices.find((slice) => slice.title === title).ofTables;
}

function slicesOf(results, titles) {
  return results.slices.filter((slice) => titles.includes(slice.title));
}

function titlesOf(results) {
  return [...new Set(results.slices.map((slice) => slice.title))];
}

function serversOf(entries) {
  return [...new Set(entries.map((entry) => entry.server))];
}

function median(values) {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// ---- text

const times = (ratio) => (ratio === undefined ? '-' : `${ratio.toFixed(2)}x`);
const whole = (value) => (value === undefined ? '-' : value.toFixed(0));

function table(header, rows) {
  const widths = header.map((name, column) => Math.max(3, name.length, ...rows.map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((cell, column) => pad(cell, widths[column], column)).join(' | ')} |`;
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(header), rule, ...rows.map(line)].join('\n');
}

function pad(cell, width, column) {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}
