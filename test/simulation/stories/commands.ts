import type { LagRelease } from '../../../src/dynamo/client.ts';
import type { NodeId } from '../../../src/dynamo/ring.ts';
import type { RegisterCondition, RegisterValue } from '../linearizability.ts';
import type { Message } from '../simulated-network.ts';
import type { Claim, Command, MessageFate, Task, Traffic } from './story.ts';

/** Those that stories have a use for; the compiler checks that they exist. */
const MESSAGE_KINDS: readonly (Message['kind'] | 'all')[] = [
  'all',
  ...(['prepare', 'promise', 'accept', 'accepted', 'learn', 'learned', 'read', 'state', 'rejected'] as const),
  ...(['read-committed', 'hint', 'hinted', 'confirm-tombstone', 'confirmed', 'purge', 'purged'] as const),
  ...(['copy', 'copied', 'seal', 'sealed', 'sealed-records', 'stage', 'staged', 'activate', 'activated'] as const),
  ...(['gossip', 'ping', 'pong', 'merkle-hashes', 'wrong-epoch'] as const),
];

/** How answers are told. What stands behind a comma may be left out. */
const OUTCOME =
  /^(\d+|nothing|applied(, was (\d+|nothing))?|condition failed(, is (\d+|nothing))?|unavailable|unknown|handed back|storage failed|no answer|changed|superseded|failed(, .+)?|done|\d+ purged, \d+ waiting)$/;

class Context {
  readonly nodes: readonly NodeId[];
  readonly members: readonly NodeId[];
  readonly refuse: (why: string) => never;

  constructor(nodes: readonly NodeId[], members: readonly NodeId[], refuse: (why: string) => never) {
    this.nodes = nodes;
    this.members = members;
    this.refuse = refuse;
  }

  node(text: string): NodeId {
    return this.nodes.includes(text) ? text : this.refuse(`there is no node ${text}`);
  }

  /** Letters with or without spaces between them. */
  group(text: string): readonly NodeId[] {
    return [...text.replaceAll(' ', '')].map((letter) => this.node(letter));
  }

  outcome(text: string | undefined): string {
    if (text === undefined) return this.refuse('what is expected is missing');
    return OUTCOME.test(text) ? text : this.refuse(`there is no such outcome as "${text}"`);
  }

  /** `KIND A > BC`; `all` in place of nodes is all others. */
  traffic(kind: string, from: string, to: string): Traffic {
    const known = MESSAGE_KINDS.find((each) => each === kind);
    if (known === undefined) return this.refuse(`there is no message ${kind}`);
    if (from === 'all' && to === 'all') return { kind: known, from: this.nodes, to: this.nodes };
    const others = (text: string) => this.nodes.filter((node) => !text.includes(node));
    return {
      kind: known,
      from: from === 'all' ? others(to) : this.group(from),
      to: to === 'all' ? others(from) : this.group(to),
    };
  }
}

/** @param members the nodes that `all` stands for where replicas are meant */
export function parseCommand(
  words: string,
  nodes: readonly NodeId[],
  members: readonly NodeId[],
  refuse: (why: string) => never,
): Command {
  const context = new Context(nodes, members, refuse);
  return (
    parseJoin(words, context) ??
    parseTask(words, context) ??
    parseNetwork(words, context) ??
    parseMachine(words, context) ??
    parseClaim(words, context) ??
    refuse('not understood')
  );
}

function parseJoin(words: string, context: Context): Command | undefined {
  const [, name, expected] = /^([a-z]\w*) -> (.+)$/.exec(words) ?? [];
  return name === undefined ? undefined : { kind: 'join', name, expected: context.outcome(expected) };
}

function parseTask(words: string, context: Context): Command | undefined {
  const [, name, id, what, expected] = /^(?:([a-z]\w*): )?([A-Z]) (.+?)(?: -> (.+))?$/.exec(words) ?? [];
  if (what === undefined) return undefined;
  const task = taskOf(what, context);
  if (task === undefined) return undefined;
  const node = context.node(id!);
  if (name === undefined) return { kind: 'ask', node, task, expected: context.outcome(expected) };
  if (expected !== undefined) context.refuse('what runs in the background is waited for in a line of its own');
  return { kind: 'begin', name, node, task };
}

function taskOf(what: string, context: Context): Task | undefined {
  const [, verb, value, condition] = /^(puts|deletes)(?: (\d+))?(?: if (.+))?$/.exec(what) ?? [];
  if (verb === 'puts') {
    if (value === undefined) context.refuse('values are numbers');
    return { kind: 'put', value: value!, condition: conditionOf(condition, context) };
  }
  if (verb === 'deletes' && value === undefined) return { kind: 'delete', condition: conditionOf(condition, context) };
  const [, members] = /^leads to ([A-Z ]+)$/.exec(what) ?? [];
  if (members !== undefined) return { kind: 'lead', members: context.group(members) };
  switch (what) {
    case 'reads':
      return { kind: 'read' };
    case 'reads eventually':
      return { kind: 'eventual-read' };
    case 'reads its own':
      return { kind: 'own-read' };
    case 'repairs':
      return { kind: 'repair' };
    case 'purges':
      return { kind: 'purge' };
    case 'settles':
      return { kind: 'settle' };
    default:
      return undefined;
  }
}

function conditionOf(text: string | undefined, context: Context): RegisterCondition | undefined {
  if (text === undefined) return undefined;
  if (text === 'absent') return { kind: 'absent' };
  if (text === 'present') return { kind: 'exists' };
  return /^\d+$/.test(text) ? { kind: 'equals', value: text } : context.refuse('conditions: absent, present, a number');
}

function parseNetwork(words: string, context: Context): Command | undefined {
  const [, verb, next, kind, from, to, byMs] =
    /^(drop|hold|double|delay|release)( next)? ([a-z-]+) (all|[A-Z]+) > (all|[A-Z]+)(?: by (\d+) ms)?$/.exec(words) ??
    [];
  if (verb !== undefined) {
    const traffic = context.traffic(kind!, from!, to!);
    if ((verb === 'delay') !== (byMs !== undefined)) context.refuse('a delay, and only that, is by so many ms');
    if (verb === 'release') {
      if (next !== undefined) context.refuse('all that is held is released');
      return { kind: 'release', traffic };
    }
    const fate = (verb === 'delay' ? { kind: verb, byMs: Number(byMs) } : { kind: verb }) as MessageFate;
    return { kind: 'rule', fate, traffic, isOnce: next !== undefined };
  }
  const [, one, arrow, other] = /^cut ([A-Z]+)(?: (> )?(all|[A-Z]+))?$/.exec(words) ?? [];
  if (one !== undefined) {
    const there = context.traffic('all', one, other ?? 'all');
    const back: Traffic = { kind: 'all', from: there.to, to: there.from };
    return { kind: 'cut', directions: arrow === undefined ? [there, back] : [there] };
  }
  if (words === 'release') return { kind: 'release', traffic: undefined };
  if (words === 'heal') return { kind: 'heal' };
  const [, awaited, sender, receiver] = /^wait for ([a-z-]+) (all|[A-Z]+) > (all|[A-Z]+)$/.exec(words) ?? [];
  if (awaited !== undefined) return { kind: 'wait-for', traffic: context.traffic(awaited, sender!, receiver!) };
  const [, forMs] = /^wait (\d+) ms$/.exec(words) ?? [];
  return forMs === undefined ? undefined : { kind: 'wait', forMs: Number(forMs) };
}

function parseMachine(words: string, context: Context): Command | undefined {
  const [, verb, id] = /^(kill|start|wipe|fill disk|rot) ([A-Z]+)$/.exec(words) ?? [];
  if (verb !== undefined) {
    return {
      kind: verb.replace(' ', '-') as 'kill' | 'start' | 'wipe' | 'fill-disk' | 'rot',
      nodes: context.group(id!),
    };
  }
  const [, clock, byMs] = /^clock ([A-Z]) ([+-]\d+) ms$/.exec(words) ?? [];
  if (clock !== undefined) return { kind: 'step-clock', node: context.node(clock), byMs: Number(byMs) };
  const [, from, to] = /^([A-Z]) tells ([A-Z])$/.exec(words) ?? [];
  if (from !== undefined) return { kind: 'tell', from: context.node(from), to: context.node(to!) };
  const [, lag] = /^lag (.+)$/.exec(words) ?? [];
  if (lag !== undefined) return { kind: 'lag', release: lagOf(lag, context) };
  return words === 'background on' ? { kind: 'background' } : undefined;
}

function lagOf(text: string, context: Context): LagRelease | undefined {
  if (text === 'ends') return undefined;
  if (text === 'without end') return { kind: 'never' };
  const [, count, unit] = /^by (\d+) (ms|versions?)$/.exec(text) ?? [];
  if (unit === undefined) return context.refuse('replicas lag by so many ms or versions, or without end');
  if (unit !== 'ms') return { kind: 'versions', count: Number(count) };
  return { kind: 'after', delay: { kind: 'constant', delayMs: Number(count) } };
}

function parseClaim(words: string, context: Context): Command | undefined {
  const claim = claimOf(words, context);
  return claim && { kind: 'expect', claim };
}

function claimOf(words: string, context: Context): Claim | undefined {
  if (words === 'roots agree' || words === 'roots differ') return { kind: 'roots', areEqual: words === 'roots agree' };
  const [, who, what] = /^(all|[A-Z](?: ?[A-Z])*) ([a-z].*)$/.exec(words) ?? [];
  if (who === undefined) return undefined;
  const nodes = who === 'all' ? context.members : context.group(who);
  const value = (text: string): RegisterValue => (text === 'nothing' ? null : text);
  const [, verb, held] = /^(holds?|has accepted|have accepted) (\d+|nothing|tombstone)$/.exec(what!) ?? [];
  if (verb !== undefined) {
    return { kind: verb.startsWith('hold') ? 'holds' : 'has-accepted', nodes, value: value(held!) };
  }
  const [, hints] = /^keeps (\d+) hints?$/.exec(what!) ?? [];
  if (hints !== undefined && nodes.length === 1) return { kind: 'hints', node: nodes[0]!, count: Number(hints) };
  const [, back] = /^holds back (\d+)$/.exec(what!) ?? [];
  if (back !== undefined && nodes.length === 1) return { kind: 'held', node: nodes[0]!, count: Number(back) };
  const [, epoch] = /^(?:is|are) in epoch (\d+)$/.exec(what!) ?? [];
  if (epoch !== undefined) return { kind: 'epoch', nodes, epoch: Number(epoch) };
  if (what === 'has no vote' || what === 'have no vote') return { kind: 'epoch', nodes, epoch: 'none' };
  if (what === 'is sealed' || what === 'are sealed') return { kind: 'epoch', nodes, epoch: 'sealed' };
  return undefined;
}
