import { connect } from 'node:net';

/**
 * A keep-alive HTTP/1.1 connection with at most one request in progress, and with next to no cost of its own: requests
 * are bytes made beforehand, and only the status and length of an answer are read.
 * `onAnswer(status, bodyLength, connection)` is called once for each `send`; status 0 means that the connection broke.
 * `onClose(connection)` is called last, also if the connection could not be opened.
 */
export function openConnection(port, { onOpen, onAnswer, onClose }) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const connection = { open: false, send, destroy: () => socket.destroy() };
  let pending = false;
  let received = 0;
  let head; // until it is complete
  let status = 0;
  let bodyLength = 0;
  let answerLength = Infinity;

  function send(request) {
    pending = true;
    received = 0;
    head = undefined;
    answerLength = Infinity;
    socket.write(request);
  }

  function readHead() {
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    const text = head.latin1Slice(0, end);
    status = Number(text.slice(9, 12));
    bodyLength = Number(/content-length: *(\d+)/i.exec(text)?.[1] ?? Number.NaN);
    if (Number.isNaN(bodyLength)) throw new Error(`the bench reads only answers with a content-length:\n${text}`);
    answerLength = end + 4 + bodyLength;
  }

  socket.on('connect', () => {
    connection.open = true;
    onOpen(connection);
  });
  socket.on('data', (chunk) => {
    if (!pending) return;
    received += chunk.length;
    if (answerLength === Infinity) {
      head = head === undefined ? chunk : Buffer.concat([head, chunk]);
      readHead();
    }
    if (received < answerLength) return;
    pending = false;
    onAnswer(status, bodyLength, connection);
  });
  socket.on('error', () => {}); // 'close' follows
  socket.on('close', () => {
    connection.open = false;
    if (pending) {
      pending = false;
      onAnswer(0, 0, connection);
    }
    onClose(connection);
  });
  return connection;
}
