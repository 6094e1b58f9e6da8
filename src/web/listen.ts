import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What can be made to listen. */
export interface Listener {
  /** A server that does not listen yet. */
  createHttpServer(): Server;
  /** Called with failures of the listening sockets. */
  readonly onInternalError: (error: unknown) => void;
  /** From now on every answer closes its connection. */
  beginClosing(): void;
}

export interface Listening {
  /** The addresses listened on, with the port that the system chose if port 0 was given. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /**
   * Stops listening, closes idle connections at once, and waits for the requests in flight, each of which closes its
   * connection. When `giveUp` settles first, the remaining connections are cut.
   */
  close(giveUp: Promise<unknown>): Promise<void>;
}

/** How often to look for a port that is free on all hosts. */
const MAX_PORT_TRIES = 10;

/** Error codes for an address family that the machine does not have. */
const NO_SUCH_ADDRESS = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT']);

/**
 * Listens on one port of several hosts. Hosts after the first are skipped if the machine does not have them, so that
 * `['127.0.0.1', '::1']` also works without IPv6.
 * @param port 0 lets the system choose
 * @throws the system's error (`EADDRINUSE`, `EACCES`, ...); nothing is left listening then
 */
export async function listen(web: Listener, hosts: readonly string[], port: number): Promise<Listening> {
  for (let left = MAX_PORT_TRIES; ; left--) {
    const servers: Server[] = [];
    try {
      let chosen = port;
      for (const host of hosts) {
        const server = web.createHttpServer();
        if (!(await bind(server, { host, port: chosen, isOptional: servers.length > 0 }, web.onInternalError)))
          continue;
        servers.push(server);
        chosen = (server.address() as AddressInfo).port;
      }
      return listening(web, servers);
    } catch (error) {
      for (const server of servers) server.close();
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (port !== 0 || !isTaken || left === 1) throw error;
    }
  }
}

type OnError = (error: Error) => void;

interface Binding {
  readonly host: string;
  readonly port: number;
  /** If the machine does not have this address, that is no error. */
  readonly isOptional: boolean;
}

/** @returns false if the machine does not have the optional address */
function bind(server: Server, { host, port, isOptional }: Binding, onError: OnError): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (isOptional && NO_SUCH_ADDRESS.has(error.code ?? '')) resolve(false);
      else reject(error);
    });
    server.listen({ host, port }, () => {
      server.removeAllListeners('error');
      server.on('error', onError);
      resolve(true);
    });
  });
}

function listening(web: Listener, servers: readonly Server[]): Listening {
  return {
    addresses: servers.map((server) => {
      const { address, port } = server.address() as AddressInfo;
      return { host: address, port };
    }),
    close: async (giveUp) => {
      web.beginClosing();
      const closed = Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
      const cut = () => {
        for (const server of servers) server.closeAllConnections();
      };
      giveUp.then(cut, cut);
      await closed;
    },
  };
}
