import type { Courier, Message } from '../simulated-network.ts';
import type { Trace } from '../trace.ts';
import type { VirtualTime } from '../virtual-time.ts';
import type { MessageFate, Traffic } from './story.ts';

/** What every message takes, so that a story's order of events is plain: less to oneself than to others. */
const TO_ITSELF_MS = 0.1;
const TO_OTHERS_MS = 1;

interface Rule {
  readonly traffic: Traffic;
  readonly fate: MessageFate;
  readonly isOnce: boolean;
  /** Where the story says it; undefined for a cut, which need not meet any message. */
  readonly line: number | undefined;
  uses: number;
  readonly held: (() => void)[];
}

/** Carries messages as a story says: all arrive in order and soon, but for those that a rule names. The last rule counts. */
export class PlannedCourier implements Courier {
  readonly #time: VirtualTime;
  readonly #trace: Trace;
  #rules: Rule[] = [];
  /** Every rule there was, those that have ended among them. */
  readonly #all: Rule[] = [];
  #awaited: Traffic | undefined;

  constructor(time: VirtualTime, trace: Trace) {
    this.#time = time;
    this.#trace = trace;
  }

  add(traffic: Traffic, fate: MessageFate, isOnce: boolean, line: number | undefined): void {
    const rule: Rule = { traffic, fate, isOnce, line, uses: 0, held: [] };
    this.#rules.push(rule);
    this.#all.push(rule);
  }

  /** Ends the rules of this traffic, or all. @returns how many there were */
  release(traffic: Traffic | undefined): number {
    const ended = this.#rules.filter((rule) => traffic === undefined || isSame(rule.traffic, traffic));
    this.#rules = this.#rules.filter((rule) => !ended.includes(rule));
    for (const { held } of ended) for (const arrive of held) this.#time.after(TO_OTHERS_MS, arrive);
    return ended.length;
  }

  /** Lines of rules that no message has met: the story is not the one that it seems to be. */
  get unused(): readonly number[] {
    return this.#all.flatMap(({ uses, line }) => (uses === 0 && line !== undefined ? [line] : []));
  }

  /** @returns a question: whether such a message has arrived, got lost or was held since */
  watchFor(traffic: Traffic): () => boolean {
    this.#awaited = traffic;
    return () => this.#awaited === undefined;
  }

  carry(message: Message, arrive: () => void, lose: () => void): void {
    const { from, to } = message;
    const delayMs = from === to ? TO_ITSELF_MS : TO_OTHERS_MS;
    const arriveSeen = () => {
      this.#note(message);
      arrive();
    };
    const rule = this.#rules.findLast((each) => matches(each.traffic, message) && !(each.isOnce && each.uses > 0));
    if (rule === undefined) {
      this.#time.after(delayMs, arriveSeen);
      return;
    }
    rule.uses++;
    switch (rule.fate.kind) {
      case 'drop':
        lose();
        return this.#note(message);
      case 'hold':
        this.#trace.add(this.#time.nowMs, `${from} | ${to}  ${message.kind} is held`);
        rule.held.push(arriveSeen);
        return this.#note(message);
      case 'double':
        this.#time.after(delayMs, arriveSeen);
        this.#time.after(2 * delayMs, arriveSeen);
        return;
      case 'delay':
        this.#time.after(delayMs + rule.fate.byMs, arriveSeen);
        return;
    }
  }

  #note(message: Message): void {
    if (this.#awaited !== undefined && matches(this.#awaited, message)) this.#awaited = undefined;
  }
}

function matches({ kind, from, to }: Traffic, message: Message): boolean {
  return (kind === 'all' || kind === message.kind) && from.includes(message.from) && to.includes(message.to);
}

function isSame(one: Traffic, other: Traffic): boolean {
  return one.kind === other.kind && `${one.from} ${one.to}` === `${other.from} ${other.to}`;
}
