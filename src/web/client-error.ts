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

/**
 * Answers what is no request that `node:http` understands, with its statuses except one: the service answers 400 to
 * headers, or a request line, that are too long. The connection ends with the answer.
 *
 * An answer that is written and cut at once is often lost, because a system that has bytes left to read resets the
 * connection. So the rest of what the client sends is read, within limits; the server's timeouts are those of the wait.
 */
export function answerClientErrors(server: Server, hints: Hints | undefined): void {
  const answered = new WeakMap<Socket, number>();
  server.on('clientError', (error: ClientError, stream) => {
    const socket = stream as Socket;
    const before = answered.get(socket);
    if (before !== undefined || !socket.writable || hasBegunAnswer(socket)) {
      const isPatient = before !== undefined && isOfParser(error) && socket.bytesRead - before <= MAX_DROPPED_BYTES;
      if (!isPatient) socket.destroy();
      return;
    }
    answered.set(socket, socket.bytesRead);
    const protocol = protocolOf(error.rawPacket);
    if (protocol !== undefined) hints?.otherProtocol(protocol);
    socket.end(answerTo(error.code));
  });
}

/** Whether it is about bytes, and not the connection itself, or time that has run out. */
function isOfParser({ code }: ClientError): boolean {
  return code?.startsWith('HPE_') === true;
}

/** An answer half written cannot be followed by another one. As `node:http` itself looks at it. */
function hasBegunAnswer(
  socket: Socket & { readonly _httpMessage?: { readonly headersSent: boolean } | null },
): boolean {
  return socket._httpMessage?.headersSent === true;
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
