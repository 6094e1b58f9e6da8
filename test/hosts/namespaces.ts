import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Place } from './peer-process.ts';

/** Of the hosts; the machine itself is at `.254`. Nobody routes it (RFC 2544, section C.2.2). */
const SUBNET = '198.18.77';
/** Where `ip netns exec` finds what is to stand in `/etc` of a namespace. */
const ETC = '/etc/netns';
/** Whole frames are longer, those of a ping are not. */
const NARROW_BYTES = '600';
const WIDE_BYTES = '1500';
/** Nobody has this address: frames to it are dropped, and nobody says so. */
const NOWHERE = '02:00:00:00:00:01';
/** `ip` and `tc` answer at once; this is for a machine that does much else. */
const PATIENCE_MS = 30_000;

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: PATIENCE_MS });
}

function isPossible(attempt: () => void): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}

/** Hosts on this machine, each with an address of its own, that a switch connects. They are removed with the test. */
export class Hosts {
  readonly #names: readonly string[];
  /** The last byte of the address of each. */
  readonly #numbers = new Map<string, number>();
  readonly #prefix = `dynaring-${process.pid}`;

  /** @throws if this machine cannot have them; see `whyNoHosts` */
  constructor(names: readonly string[]) {
    this.#names = names;
    for (const [at, name] of names.entries()) this.#numbers.set(name, at + 1);
    const shared = this.#namespaceOf('switch');
    // Interfaces go with their namespace.
    onTestFinished(() => {
      for (const name of [...names, 'switch']) isPossible(() => run('ip', 'netns', 'del', this.#namespaceOf(name)));
      for (const name of names) rmSync(this.#etcOf(name), { recursive: true, force: true });
    });
    this.#writeNames();
    run('ip', 'netns', 'add', shared);
    run('ip', '-n', shared, 'link', 'add', 'hub', 'type', 'bridge');
    run('ip', '-n', shared, 'link', 'set', 'dev', 'hub', 'up');
    for (const name of names) {
      const namespace = this.#namespaceOf(name);
      run('ip', 'netns', 'add', namespace);
      run('ip', '-n', namespace, 'link', 'set', 'dev', 'lo', 'up');
      run('ip', '-n', namespace, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', name, 'netns', shared);
      this.#plugIn(name);
      run('ip', '-n', namespace, 'addr', 'add', `${this.addressOf(name)}/24`, 'dev', 'eth0');
      // One packet is one frame: else the switch passes on what is longer than its ports may take.
      run('ip', '-n', namespace, 'link', 'set', 'dev', 'eth0', 'gso_max_segs', '1');
      run('ip', '-n', namespace, 'link', 'set', 'dev', 'eth0', 'up');
    }
    const own = this.#ownInterface;
    run('ip', 'link', 'add', own, 'type', 'veth', 'peer', 'name', 'outside', 'netns', shared);
    this.#plugIn('outside');
    run('ip', 'addr', 'add', `${SUBNET}.254/24`, 'dev', own);
    run('ip', 'link', 'set', 'dev', own, 'up');
  }

  addressOf(name: string): string {
    return `${SUBNET}.${this.#numbers.get(name)}`;
  }

  /** Gives each host the address that the next one had, all at once. The hosts know each other's new ones by name. */
  rotateAddresses(): void {
    const numbers = this.#names.map((name) => this.#numbers.get(name)!);
    for (const name of this.#names) run('ip', '-n', this.#namespaceOf(name), 'addr', 'flush', 'dev', 'eth0');
    for (const [at, name] of this.#names.entries()) this.#numbers.set(name, numbers[(at + 1) % numbers.length]!);
    for (const name of this.#names) {
      run('ip', '-n', this.#namespaceOf(name), 'addr', 'add', `${this.addressOf(name)}/24`, 'dev', 'eth0');
    }
    this.#writeNames();
    // As if each had said so to all.
    for (const name of this.#names) run('ip', '-n', this.#namespaceOf(name), 'neigh', 'flush', 'all');
    run('ip', 'neigh', 'flush', 'dev', this.#ownInterface);
  }

  /** For `beginPeer`. */
  placeOf(name: string): Place {
    const under = ['ip', 'netns', 'exec', this.#namespaceOf(name)];
    return { host: this.addressOf(name), listen: '0.0.0.0', port: '8000', peerPort: '8100', under };
  }

  /** What one host sends to another gets lost from now on, without a word; the way back stays. */
  cut(from: string, to: string): void {
    run('ip', '-n', this.#namespaceOf(from), 'neigh', 'replace', ...this.#neighbour(to), 'lladdr', NOWHERE);
  }

  heal(from: string, to: string): void {
    run('ip', '-n', this.#namespaceOf(from), 'neigh', 'del', ...this.#neighbour(to));
  }

  /** Pulls the cable of a host: it is silent, and resets nothing. */
  unplug(name: string): void {
    run('ip', '-n', this.#namespaceOf('switch'), 'link', 'set', 'dev', name, 'down');
  }

  plug(name: string): void {
    run('ip', '-n', this.#namespaceOf('switch'), 'link', 'set', 'dev', name, 'up');
  }

  /** Longer frames to a host, and from it, get lost without a word, as in a tunnel that nobody has told of. */
  narrow(name: string): void {
    run('ip', '-n', this.#namespaceOf('switch'), 'link', 'set', 'dev', name, 'mtu', NARROW_BYTES);
    run('ip', '-n', this.#namespaceOf('switch'), 'link', 'set', 'dev', 'hub', 'mtu', WIDE_BYTES);
  }

  widen(name: string): void {
    run('ip', '-n', this.#namespaceOf('switch'), 'link', 'set', 'dev', name, 'mtu', WIDE_BYTES);
  }

  /** What a host sends is late by some 20 ms, each fiftieth packet gets lost, and some overtake others. */
  disturb(name: string): void {
    const netem = ['netem', 'delay', '20ms', '10ms', 'loss', '2%', 'reorder', '25%', '50%'];
    run('tc', '-n', this.#namespaceOf(name), 'qdisc', 'replace', 'dev', 'eth0', 'root', ...netem);
  }

  get #ownInterface(): string {
    return `dr${process.pid}`;
  }

  #etcOf(name: string): string {
    return join(ETC, this.#namespaceOf(name));
  }

  /** In place: a process sees the file that it began with. */
  #writeNames(): void {
    const lines = this.#names.map((name) => `${this.addressOf(name)} ${name}\n`);
    for (const name of this.#names) {
      mkdirSync(this.#etcOf(name), { recursive: true });
      writeFileSync(join(this.#etcOf(name), 'hosts'), `127.0.0.1 localhost\n${lines.join('')}`);
    }
  }

  #neighbour(name: string): string[] {
    return [this.addressOf(name), 'dev', 'eth0'];
  }

  #plugIn(port: string): void {
    const shared = this.#namespaceOf('switch');
    run('ip', '-n', shared, 'link', 'set', 'dev', port, 'master', 'hub');
    run('ip', '-n', shared, 'link', 'set', 'dev', port, 'up');
  }

  #namespaceOf(name: string): string {
    return `${this.#prefix}-${name}`;
  }
}

/** @returns undefined if this machine can have hosts of its own */
export function whyNoHosts(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may make network namespaces';
  const name = `dynaring-${process.pid}-try`;
  const isMade = isPossible(() => {
    run('ip', 'netns', 'add', name);
    run('ip', '-n', name, 'link', 'add', 'hub', 'type', 'bridge');
    run('ip', '-n', name, 'link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'other');
  });
  isPossible(() => run('ip', 'netns', 'del', name));
  return isMade ? undefined : 'this machine makes no network namespaces with bridges';
}

/** @returns undefined if this machine can delay and lose packets */
export function whyNoDisturbance(): string | undefined {
  const name = `dynaring-${process.pid}-try`;
  const isMade = isPossible(() => {
    run('ip', 'netns', 'add', name);
    run('tc', '-n', name, 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms');
  });
  isPossible(() => run('ip', 'netns', 'del', name));
  return isMade ? undefined : 'this machine has no netem';
}
