import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Address } from '../../src/env/peer-channel.ts';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/**
 * Stands between who dials and who listens, and passes bytes on as it is told: it sees what an attacker on the network
 * sees.
 */
export class Middle {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  /** Whether nothing is passed on, while all connections stay open. */
  #isFrozen = false;
  /** How often each chunk of who dials is passed on. */
  copies = 1;
  /** What who dials has sent, by connection. */
  readonly sent: Buffer[][] = [];

  private constructor(target: Address) {
    this.#server = createServer((client) => {
      const server = connect(target as { port: number });
      const pair = { client, server };
      const bytes: Buffer[] = [];
      this.sent.push(bytes);
      this.#pairs.add(pair);
      client.on('data', (chunk: Buffer) => {
        bytes.push(chunk);
        for (let copy = 0; copy < this.copies; copy++) this.#pass(chunk, client, server);
      });
      server.on('data', (chunk: Buffer) => this.#pass(chunk, server, client));
      for (const socket of [client, server]) {
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#pairs.delete(pair);
          client.destroy();
          server.destroy();
        });
      }
      if (this.#isFrozen) for (const socket of [client, server]) socket.pause();
    });
  }

  /** @param at where it listens */
  static async between(at: Address, target: Address): Promise<{ middle: Middle; address: Address }> {
    const middle = new Middle(target);
    await new Promise<void>((resolve) => middle.#server.listen(at, resolve));
    const found = middle.#server.address();
    const address = typeof found === 'string' ? { path: found } : { host: '127.0.0.1', port: found!.port };
    return { middle, address };
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Nothing arrives any more, and nobody is told. */
  freeze(): void {
    this.#isFrozen = true;
    for (const { client, server } of this.#pairs) for (const socket of [client, server]) socket.pause();
  }

  /** What was held is passed on. */
  thaw(): void {
    this.#isFrozen = false;
    for (const { client, server } of this.#pairs) for (const socket of [client, server]) socket.resume();
  }

  /** Ends all connections. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #pass(chunk: Buffer, from: Socket, to: Socket): void {
    if (to.write(chunk)) return;
    from.pause();
    to.once('drain', () => {
      if (!this.#isFrozen) from.resume();
    });
  }
}
