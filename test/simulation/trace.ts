import { type Ballot, TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import type { ConfigValue, Reply, Request } from '../../src/dynamo/messages.ts';
import type { ItemRecord } from '../../src/dynamo/record.ts';
import { registerValueOf } from './item-value.ts';
import { CLOCK_START_MS } from './virtual-time.ts';

const SPACE = 32;
const ZERO = 48;
const TENTHS = Array.from({ length: 10 }, (_, tenth) => `.${tenth}`);
const HUNDREDTHS = Array.from({ length: 100 }, (_, part) => `.${String(part).padStart(2, '0')}`);

/** All that happened in one history, in order, as lines or only as a hash of them. */
export class Trace {
  readonly lines: string[] | undefined;
  #low = 0x811c9dc5;
  #high = 0x9e3779b9;

  constructor(keepsLines: boolean) {
    this.lines = keepsLines ? [] : undefined;
  }

  /** A line, in parts. */
  add(atMs: number, ...parts: string[]): void {
    const hundredths = Math.round(atMs * 100);
    this.lines?.push(`${(hundredths / 100).toString().padStart(8)}  ${parts.join('')}`);
    this.#mixTime(hundredths);
    for (const part of parts) this.#mix(part);
  }

  /** The time of a line as it is printed: for the hash alone, no text is made of it. */
  #mixTime(hundredths: number): void {
    const whole = Math.floor(hundredths / 100);
    const rest = hundredths % 100;
    const fraction = rest === 0 ? '' : rest % 10 === 0 ? TENTHS[rest / 10]! : HUNDREDTHS[rest]!;
    let width = 1;
    for (let bound = 10; bound <= whole; bound *= 10) width++;
    for (let pad = 8 - width - fraction.length; pad > 0; pad--) this.#mixUnit(SPACE);
    for (let unit = 10 ** (width - 1); unit >= 1; unit /= 10) this.#mixUnit(ZERO + (Math.floor(whole / unit) % 10));
    this.#mix(fraction);
    this.#mix('  ');
  }

  #mixUnit(unit: number): void {
    this.#low = Math.imul(this.#low ^ unit, 0x01000193);
    this.#high = Math.imul(this.#high ^ unit, 0x85ebca6b) ^ (this.#high >>> 15);
  }

  #mix(text: string): void {
    let low = this.#low;
    let high = this.#high;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      low = Math.imul(low ^ unit, 0x01000193);
      high = Math.imul(high ^ unit, 0x85ebca6b) ^ (high >>> 15);
    }
    this.#low = low;
    this.#high = high;
  }

  /** 64 bits over every line so far (FNV-1a and one with another multiplier). */
  hash(): string {
    return hex(this.#high) + hex(this.#low);
  }
}

function hex(bits: number): string {
  return (bits >>> 0).toString(16).padStart(8, '0');
}

/** A ballot as milliseconds of virtual time, ticks behind a `+`, coordinator and boot: `153+2B1`. */
export function showBallot({ hlc, coordinator, boot }: Ballot): string {
  const ms = Math.floor(hlc / TICKS_PER_MS) - CLOCK_START_MS;
  const ticks = hlc % TICKS_PER_MS;
  return `${ms}${ticks === 0 ? '' : `+${ticks}`}${diskLetter(coordinator)}${boot}`;
}

/** The floor that a replica keeps after a restart is above every disk. */
function diskLetter(diskId: number): string {
  return diskId <= 26 ? String.fromCharCode(64 + diskId) : '*';
}

export function showRecord(record: ItemRecord | undefined): string {
  return record === undefined ? '-' : `${showBallot(record.ballot)}=${registerValueOf(record.item) ?? 'tombstone'}`;
}

/** A ballot of a config register. */
function showNumber({ hlc, coordinator, boot }: Ballot): string {
  return `${hlc}${diskLetter(coordinator)}${boot}`;
}

function showValue({ begun, decided }: ConfigValue): string {
  const next = decided && `, decided ${decided.members.map(({ node }) => node).join('')} by attempt ${decided.attempt}`;
  return `begun ${begun}${next ?? ''}`;
}

export function showRequest(request: Request): string {
  switch (request.kind) {
    case 'prepare':
      return `prepare ${showBallot(request.ballot)}`;
    case 'accept':
    case 'learn':
      return `${request.kind} ${showRecord(request.record)}`;
    case 'adopt':
      return `adopt ${showBallot(request.ballot)}: ${showRecord(request.record)}`;
    case 'hint':
      return `hint for ${request.home}: ${showRecord(request.record)}`;
    case 'confirm-tombstone':
      return `${request.kind} ${showRecord(request.record)}`;
    case 'purge':
      return `purge ${showBallot(request.ballot)}`;
    case 'copy':
    case 'sealed-records':
      return `${request.kind} of partition ${request.partition}`;
    case 'seal':
      return `seal partition ${request.partition} in epoch ${request.epoch}`;
    case 'stage': {
      const { partition, epoch, attempt } = request.next;
      return `stage partition ${partition} for epoch ${epoch}, attempt ${attempt}, from ${request.sources.join('')}`;
    }
    case 'activate': {
      const { partition, epoch, members } = request.config;
      return `activate partition ${partition} in epoch ${epoch} of ${members.map(({ node }) => node).join('')}`;
    }
    case 'config-prepare':
      return `config-prepare partition ${request.partition} in epoch ${request.epoch}, ${showNumber(request.ballot)}`;
    case 'config-accept': {
      const { partition, epoch, ballot, value } = request;
      const what = `${showNumber(ballot)}: ${showValue(value)}`;
      return `config-accept partition ${partition} in epoch ${epoch}, ${what}`;
    }
    default:
      return request.kind;
  }
}

export function showReply(reply: Reply): string {
  switch (reply.kind) {
    case 'promise':
    case 'state':
      return `${reply.kind} accepted ${showRecord(reply.accepted)} committed ${showRecord(reply.committed)}`;
    case 'learned':
      return reply.isHeld === true ? 'learned, held back' : reply.kind;
    case 'rejected':
      return `rejected, promised ${showBallot(reply.effective)}`;
    case 'config-promise':
      return `config-promise ${reply.accepted ? showValue(reply.accepted.value) : '-'}`;
    case 'wrong-epoch':
      return `wrong-epoch, mine is ${reply.config?.epoch ?? 'none'}`;
    case 'sealed-records':
      return `sealed-records ${reply.entries.map(({ record }) => showRecord(record)).join(', ') || '-'}`;
    case 'records':
      return `records ${reply.records.map(showRecord).join(', ')}`;
    case 'failed':
      return `failed: ${reply.reason}`;
    default:
      return reply.kind;
  }
}
