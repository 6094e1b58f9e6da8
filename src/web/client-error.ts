import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Hints } from './hints.ts';

/** The error that `node:http` reports for bytes that are no request, or for a request that timed out. */
interface ClientError extends Error {
  readonly code?: string;
  /** The bytes that were being parsed. */
  readonly rawPacket?: Uint8Array;
}

/** How much more a refused client may send. It is read and dropped, so that the client gets to read the refusal. */
const MAX_DROPPED_BYTES = 1024 * 1024;

/** A server of HTTPS got a request of HTTP instead of a handshake (OpenSSL). */
const PLAIN_HTTP = 'ERR_SSL_HTTP_REQUEST';
const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0');

/** A socket as `node:http` has it, with the answer in progress, if there is one. */
type HttpSocket = Socket & { readonly _httpMessage?: { readonly headersSent: boolean } | null };

/**
 * Answers what `node:http` cannot parse as a request. The statuses are those of `node:http`, except that headers or a
 * request line that are too long get 400, as from the service. The answer closes the connection.
 *
 * Hazard: if the socket is closed while it still has unread bytes, the system resets the connection and the client
 * often loses the answer. So further bytes are read and dropped, within limits, for as long as headers may take. If the
 * request timed out, or another request in progress on the connection holds room, the socket is closed as soon as the
 * answer is written.
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
    if (error.code === PLAIN_HTTP) hints?.plainHttp();
    const underWay = socket._httpMessage;
    // A second answer cannot follow one that is half written.
    if (!socket.writable || underWay?.headersSent === true) return void socket.destroy();
    const protocol = protocolOf(error.rawPacket);
    if (protocol !== undefined) hints?.otherProtocol(protocol);
    socket.write(answerTo(error.code));
    if (underWay != null || !isOfParser(error)) return void socket.destroySoon();
    answeredAt.set(socket, socket.bytesRead);
    socket.end();
  });
}

/** Whether the error is about the bytes received, as against a failed connection or a time-out. */
function isOfParser({ code }: ClientError): boolean {
  return code?.startsWith('HPE_') === true;
}

function protocolOf(packet: Uint8Array | undefined): 'TLS' | 'HTTP/2' | undefined {
  if (packet === undefined) return undefined;
  // A TLS handshake record of any version (RFC 8446, section 5.1).
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
