import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Hints } from './hints.ts';

/** What `node:http` tells of bytes that are no request, or of a request that took too long. */
interface ClientError extends Error {
  readonly code?: string;
  /** What was being read. */
  readonly rawPacket?: Uint8Array;
}

/** Bytes of a client that is told that it is wrong which are read and dropped, so that it gets to read that. */
const MAX_DROPPED_BYTES = 1024 * 1024;

const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0');

/** A socket as `node:http` has it: with the answer that is under way, if there is one. */
type HttpSocket = Socket & { readonly _httpMessage?: { readonly headersSent: boolean } | null };

/**
 * Answers what is no request that `node:http` understands, with its statuses except one: the service answers 400 to
 * headers, or a request line, that are too long. The connection ends with the answer.
 *
 * An answer that is written and cut at once is often lost, because a system that has bytes left to read resets the
 * connection. So what else comes where a request should begin is read, within limits, for as long as headers may take.
 * Whoever is late, or has a request under way that holds room, is cut when the answer is written.
 */
export function answerClientErrors(server: Server, hints: Hints | undefined): void {
  const answeredAt = new WeakMap<Socket, number>();
  server.on('clientError', (error: ClientError, stream) => {
    const socket = stream as HttpSocket;
    const before = answeredAt.get(socket);
    if (before !== undefined) {
      if (!isOfParser(error) || socket.bytesRead - before > MAX_DROPPED_BYTES) socket.destroy();
      return;
    }
    const underWay = socket._httpMessage;
    // An answer half written cannot be followed by another one.
    if (!socket.writable || underWay?.headersSent === true) return void socket.destroy();
    const protocol = protocolOf(error.rawPacket);
    if (protocol !== undefined) hints?.otherProtocol(protocol);
    socket.write(answerTo(error.code));
    if (underWay != null || !isOfParser(error)) return void socket.destroySoon();
    answeredAt.set(socket, socket.bytesRead);
    socket.end();
  });
}

/** Whether it is about bytes, and not the connection itself, or time that has run out. */
function isOfParser({ code }: ClientError): boolean {
  return code?.startsWith('HPE_') === true;
}

function protocolOf(packet: Uint8Array | undefined): 'TLS' | 'HTTP/2' | undefined {
  if (packet === undefined) return undefined;
  // A record of a handshake, of any version (RFC 8446, section 5.1).
  if (packet[0] === 0x16 && packet[1] === 0x03) return 'TLS';
  return HTTP2_PREFACE.equals(packet.subarray(0, HTTP2_PREFACE.length)) ? 'HTTP/2' : undefined;
}

function answerTo(code: string | undefined): string {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return answer('408 Request Timeout', 'RequestTimeoutException', 'The request took too long to arrive');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return answer('413 Payload Too Large', 'RequestEntityTooLargeException', 'The chunks have too long extensions');
    case 'HPE_HEADER_OVERFLOW':
      return answer('400 Bad Request', 'BadRequestException', 'The request line and the headers are too long');
    default:
      return answer('400 Bad Request', 'BadRequestException', 'This is no HTTP/1.1 request');
  }
}

function answer(status: string, name: string, message: string): string {
  const body = JSON.stringify({ __type: `com.amazon.coral.service#${name}`, message });
  return [
    `HTTP/1.1 ${status}`,
    'Server: Dynaring',
    'Content-Type: application/x-amz-json-1.0',
    `Content-Length: ${body.length}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
