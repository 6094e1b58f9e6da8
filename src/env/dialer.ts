import { BlockList, connect, isIP, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { Address, Proof } from './peer-channel.ts';
import type { Line } from './peer-connection.ts';
import { dialOptions, type PeerSecurity, proofOf } from './peer-tls.ts';

/** How long a connection that was finished may take to send the rest. */
const FINISH_MS = 3_000;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether what goes to this address does not leave this host. */
export function isOnThisHost(address: Address): boolean {
  if ('path' in address) return true;
  const { host } = address;
  const family = isIP(host);
  return family === 0 ? host === 'localhost' : LOOPBACK.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/**
 * Opens a connection to an address, and proves and checks who is there.
 * @param done called once with the connection or an error, unless it was cancelled; never within this call
 * @returns cancels it
 */
export function dial(address: Address, security: PeerSecurity, done: (line: Line | Error) => void): () => void {
  if (security.kind === 'open' && !isOnThisHost(address)) {
    queueMicrotask(() => done(new Error('without a secret or certificates, peers are dialled on this host alone')));
    return () => {};
  }
  let isOver = false;
  const raw = connect('path' in address ? address : { ...address, noDelay: true });
  const finish = (line: Line | Error) => {
    if (isOver) return;
    isOver = true;
    if (line instanceof Error) raw.destroy();
    done(line);
  };
  raw.on('error', finish);
  raw.once('close', () => finish(new Error('closed')));
  raw.once('connect', () => {
    if (security.kind === 'open' || 'path' in address) return finish(lineOf(raw, undefined, { kind: 'none' }));
    const secure = tlsConnect({ ...dialOptions(security), socket: raw });
    secure.on('error', finish);
    secure.once('secureConnect', () => finish(lineOf(raw, secure, proofOf(security, secure))));
  });
  return () => {
    isOver = true;
    raw.destroy();
  };
}

/** @param secure the TLS connection on it, if there is one */
export function lineOf(raw: Socket, secure: TLSSocket | undefined, proof: Proof): Line {
  const stream = secure ?? raw;
  return {
    stream,
    proof,
    reset() {
      stream.destroy();
      // With a reset, the system drops what it has not sent yet. It has none for a Unix socket.
      if (raw.remoteAddress !== undefined) raw.resetAndDestroy();
      else raw.destroy();
    },
    finish() {
      stream.setTimeout(FINISH_MS, () => raw.destroy());
      stream.destroySoon();
    },
  };
}
