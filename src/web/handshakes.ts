import type { Socket } from 'node:net';

/**
 * Connections whose TLS handshake is not finished. Node tells of the socket below and of the secured one, but not which
 * belongs to which; the addresses and ports of both ends do.
 */
export class Handshakes {
  readonly #begun = new Map<string, Socket>();

  /** @param socket a client has connected, and has to begin its handshake */
  begin(socket: Socket): void {
    const ends = endsOf(socket);
    this.#begun.set(ends, socket);
    socket.on('close', () => {
      if (this.#begun.get(ends) === socket) this.#begun.delete(ends);
    });
  }

  /** @returns the socket that the secured one stands on; undefined if it has been closed */
  finish(secured: Socket): Socket | undefined {
    const ends = endsOf(secured);
    const socket = this.#begun.get(ends);
    this.#begun.delete(ends);
    return socket;
  }

  /** The HTTP server knows of no connection before its handshake, and would wait for it when it closes. */
  cutAll(): void {
    for (const socket of this.#begun.values()) socket.destroy();
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
