import type { StorageNode } from '../../../src/dynamo/node.ts';
import type { NodeId } from '../../../src/dynamo/ring.ts';
import type { Defects } from '../broken-rules.ts';
import type { Violation } from '../checks.ts';
import type { SimulatedHost } from '../simulated-host.ts';
import { BREAKABLE } from './broken-in-stories.ts';
import { lookAt } from './claims.ts';
import { judge } from './judge.ts';
import type { Command, Step, Story, Task } from './story.ts';
import { ask } from './tasks.ts';
import { EVERYTHING, StoryWorld } from './world.ts';

/** A line that came out otherwise than it says. */
export interface Surprise {
  readonly line: number;
  readonly text: string;
  readonly expected: string;
  readonly got: string;
}

export interface StoryResult {
  /** The first one says most: what follows may be a consequence. */
  readonly surprises: readonly Surprise[];
  readonly violations: readonly Violation[];
  readonly trace: readonly string[];
  readonly hash: string;
}

/** An answer that has not come by then never does: longer than any operation or epoch change lives. */
const LONGEST_TASK_MS = 5_000;
const START_WITHIN_MS = 100;
/** After the last line, for what is under way. */
const LAST_MS = 1_000;

/** Tells a story to its end and judges it. The same story gives the same trace, line for line. */
export function runStory(story: Story, isBroken = false): StoryResult {
  // What the story shows is what comes of the broken rule, not that an assertion keeps it from happening.
  const broken: Defects = isBroken && story.broken !== undefined ? BREAKABLE[story.broken.rule]!.defects : {};
  const defects: Defects = isBroken ? { checks: 'cheap', ...broken } : broken;
  return new StoryRun(story, defects).run();
}

/** Something that a node was asked for. */
interface Asked {
  readonly node: StorageNode;
  readonly host: NodeId;
  answer: string | undefined;
}

class StoryRun {
  readonly #story: Story;
  readonly #world: StoryWorld;
  readonly #surprises: Surprise[] = [];
  readonly #begun = new Map<string, Asked>();
  /** By how much the clock of a machine is wrong; processes come and go. */
  readonly #skewsMs = new Map<NodeId, number>();

  constructor(story: Story, defects: Defects) {
    this.#story = story;
    this.#world = new StoryWorld(story.setting, defects);
  }

  run(): StoryResult {
    const { time, trace, courier, hosts } = this.#world;
    let violations: readonly Violation[];
    try {
      for (const host of hosts) host.start();
      time.runUntil(START_WITHIN_MS, () => hosts.every(({ node }) => node !== undefined));
      for (const step of this.#story.steps) this.#take(step);
      time.runUntil(time.nowMs + LAST_MS);
      violations = judge(this.#story, this.#world);
    } catch (error) {
      violations = [{ kind: 'threw', what: (error as Error).stack ?? String(error) }];
    }
    this.#world.stop();
    for (const line of courier.unused) {
      const { text } = this.#story.steps.find((step) => step.line === line)!;
      this.#surprises.push({ line, text, expected: 'such a message', got: 'none' });
    }
    for (const { kind, what } of violations) trace.add(time.nowMs, `!! ${kind}: ${what}`);
    return { surprises: this.#surprises, violations, trace: trace.lines!, hash: trace.hash() };
  }

  #take(step: Step): void {
    const { time, trace } = this.#world;
    trace.add(time.nowMs, `== ${step.line}: ${step.text}`);
    const { command } = step;
    switch (command.kind) {
      case 'ask': {
        const asked = this.#ask(step, command.node, command.task);
        return asked && this.#expectAnswer(step, asked, command.expected);
      }
      case 'begin': {
        const asked = this.#ask(step, command.node, command.task);
        if (asked !== undefined) this.#begun.set(command.name, asked);
        return;
      }
      case 'join': {
        const asked = this.#begun.get(command.name);
        return asked && this.#expectAnswer(step, asked, command.expected);
      }
      case 'wait':
        return time.runUntil(time.nowMs + command.forMs);
      case 'expect': {
        for (const { expected, got } of lookAt(this.#world, command.claim)) this.#compare(step, expected, got);
        return;
      }
      case 'kill':
      case 'start':
      case 'wipe':
      case 'fill-disk':
      case 'rot':
        for (const node of command.nodes) this.#handleMachine(step, command.kind, this.#world.host(node));
        return;
      case 'step-clock': {
        const { node, byMs } = command;
        this.#skewsMs.set(node, (this.#skewsMs.get(node) ?? 0) + byMs);
        return this.#world.host(node).stepClock(byMs);
      }
      case 'background':
        this.#world.isBackgroundOn = true;
        for (const { node } of this.#world.hosts) node?.startBackground();
        return;
      case 'lag': {
        const { release } = command;
        // The line tells one rule from another.
        const rules = release === undefined ? [] : [{ id: `line ${step.line}`, scope: EVERYTHING, release }];
        this.#world.lags = rules;
        for (const { node } of this.#world.hosts) node?.setLags(rules);
        return;
      }
      case 'tell': {
        const { defects, key } = this.#world;
        return this.#world.host(command.from).repair(command.to, key, defects.repairsUnchosen === true);
      }
      default:
        return this.#handleNetwork(step, command);
    }
  }

  #handleNetwork(step: Step, command: Command): void {
    const { courier, time } = this.#world;
    switch (command.kind) {
      case 'rule':
        return courier.add(command.traffic, command.fate, command.isOnce, step.line);
      case 'cut':
        for (const traffic of command.directions) courier.add(traffic, { kind: 'drop' }, false, undefined);
        return;
      case 'release':
        if (courier.release(command.traffic) === 0) this.#surprise(step, 'something to release', 'nothing');
        return;
      case 'heal':
        courier.release(undefined);
        return;
      case 'wait-for': {
        const hasCome = courier.watchFor(command.traffic);
        time.runUntil(time.nowMs + LONGEST_TASK_MS, hasCome);
        if (!hasCome()) this.#surprise(step, 'such a message', 'none');
      }
    }
  }

  #handleMachine(step: Step, what: 'kill' | 'start' | 'wipe' | 'fill-disk' | 'rot', host: SimulatedHost): void {
    const { time, defects } = this.#world;
    switch (what) {
      case 'kill':
        return host.isDown ? this.#surprise(step, 'a node that runs', 'down') : host.kill(0);
      case 'start': {
        if (!host.isDown) return this.#surprise(step, 'a node that is down', 'running');
        host.start();
        const skewMs = this.#skewsMs.get(host.id) ?? 0;
        if (skewMs !== 0) host.stepClock(skewMs);
        return time.runUntil(time.nowMs + START_WITHIN_MS, () => host.node !== undefined);
      }
      case 'wipe':
        if (!host.isDown) host.kill(0);
        return host.replaceDisk(defects.emptyDiskVotes === true, defects.emptyDiskKeepsId === true);
      case 'rot':
        host.rot('items', this.#world.key);
        return host.rot('paxos', this.#world.key);
      case 'fill-disk':
        return host.failDisk();
    }
  }

  #ask(step: Step, id: NodeId, task: Task): Asked | undefined {
    const { node } = this.#world.host(id);
    if (node === undefined) {
      this.#surprise(step, 'a node that runs', 'down');
      return undefined;
    }
    const asked: Asked = { node, host: id, answer: undefined };
    ask(this.#world, this.#story.setting.consistency, this.#world.host(id), task, (answer) => {
      asked.answer = answer;
      this.#world.trace.add(this.#world.time.nowMs, `** ${id} answers line ${step.line}: ${answer}`);
    });
    return asked;
  }

  #expectAnswer(step: Step, asked: Asked, expected: string): void {
    const { time } = this.#world;
    const isOver = () => asked.answer !== undefined || this.#world.host(asked.host).node !== asked.node;
    time.runUntil(time.nowMs + LONGEST_TASK_MS, isOver);
    this.#compare(step, expected, asked.answer ?? 'no answer');
  }

  /** What stands behind a comma counts only if it is expected. */
  #compare(step: Step, expected: string, got: string): void {
    if (got !== expected && !got.startsWith(`${expected}, `)) this.#surprise(step, expected, got);
  }

  #surprise({ line, text }: Step, expected: string, got: string): void {
    this.#surprises.push({ line, text, expected, got });
    this.#world.trace.add(this.#world.time.nowMs, `!! line ${line}: expected ${expected}, got ${got}`);
  }
}

/** All that is wrong with a story, and what happened in it. */
export function showResult(story: Story, { surprises, violations, trace }: StoryResult): string {
  return [
    ...surprises.map(
      ({ line, text, expected, got }) => `${story.name}.story:${line}: ${text}\n  expected ${expected}, got ${got}`,
    ),
    ...violations.map(({ kind, what }) => `${story.name}.story: ${kind}: ${what}`),
    ...trace,
  ].join('\n');
}
