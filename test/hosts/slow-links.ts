import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** What TCP makes of packets that are late, lost or out of order: bytes that come later, in order, now and then much later. */
export interface Slowness {
  /** Each chunk is late by between nothing and this. */
  readonly delayMs: number;
  /** How many of a hundred chunks are lost at first, and so hold up what is behind them for `lossMs`. */
  readonly lostPercent: number;
  readonly lossMs: number;
}

/** Chunks that wait in one direction of one connection; then no more are read. */
const MOST_WAITING = 100;
const NONE: Slowness = { delayMs: 0, lostPercent: 0, lossMs: 0 };

/**
 * Stands before the port of one process: whatever others send to it, on connections that they have dialled, goes by here.
 * In user space, so that it runs where no kernel delays packets.
 */
export class SlowLink {
  slowness = NONE;
  #isSilent = false;
  readonly #flows = new Set<Flow>();
  readonly #sockets = new Set<Socket>();

  /** Listens on a port, for another one of this host. It ends with the test. */
  static async before(port: number, target: number): Promise<SlowLink> {
    const link = new SlowLink();
    const server = createServer((from) => link.#join(from, connect(target, '127.0.0.1')));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    onTestFinished(() => {
      link.reset();
      server.close();
    });
    return link;
  }

  /** From now on nothing arrives that is sent to it; what it sends on these connections still does. Nobody is told. */
  silence(): void {
    this.#isSilent = true;
    for (const flow of this.#flows) if (flow.isInward) flow.hold();
  }

  /** What was held arrives. */
  heal(): void {
    this.#isSilent = false;
    for (const flow of this.#flows) flow.release();
  }

  /** Ends all connections. */
  reset(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(from: Socket, to: Socket): void {
    for (const socket of [from, to]) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      this.#sockets.add(socket);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        from.destroy();
        to.destroy();
      });
    }
    for (const [source, sink, isInward] of [
      [from, to, true],
      [to, from, false],
    ] as const) {
      const flow = new Flow(source, sink, { isInward, slowness: () => this.slowness });
      if (isInward && this.#isSilent) flow.hold();
      this.#flows.add(flow);
      source.on('close', () => this.#flows.delete(flow));
    }
  }
}

/** One direction of one connection. */
class Flow {
  readonly isInward: boolean;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #slowness: () => Slowness;
  readonly #waiting: Buffer[] = [];
  #isHeld = false;
  #isBusy = false;

  constructor(from: Socket, to: Socket, { isInward, slowness }: { isInward: boolean; slowness: () => Slowness }) {
    this.isInward = isInward;
    this.#from = from;
    this.#to = to;
    this.#slowness = slowness;
    from.on('data', (chunk: Buffer) => {
      this.#waiting.push(chunk);
      if (this.#waiting.length > MOST_WAITING) from.pause();
      this.#next();
    });
  }

  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.#next();
  }

  #next(): void {
    if (this.#isBusy || this.#isHeld) return;
    const chunk = this.#waiting.shift();
    if (chunk === undefined) {
      this.#from.resume();
      return;
    }
    const { delayMs, lostPercent, lossMs } = this.#slowness();
    const lateMs = Math.random() * delayMs + (Math.random() * 100 < lostPercent ? lossMs : 0);
    const pass = () => {
      this.#isBusy = false;
      this.#to.write(chunk);
      this.#next();
    };
    this.#isBusy = true;
    if (lateMs === 0) setImmediate(pass);
    else setTimeout(pass, lateMs);
  }
}
