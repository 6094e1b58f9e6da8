import { NOT_SERVED } from '../api/service-operations.ts';

/** How many different hints of one kind are logged, so that a client with ever new mistakes does not fill the log. */
const MAX_TOLD = 100;

/** Longest text of a client in a hint or an error, in characters. */
const MAX_SHOWN = 100;

/** Logs likely mistakes in a client, each one once. Otherwise the author of the client would look for them there. */
export class Hints {
  readonly #tell: (hint: string) => void;
  readonly #operations = new Set<string>();
  readonly #paths = new Set<string>();
  readonly #contentTypes = new Set<string>();
  readonly #protocols = new Set<string>();

  /** @param tell takes one line without control characters */
  constructor(tell: (hint: string) => void) {
    this.#tell = tell;
  }

  /** A request for an unknown operation. @param target its X-Amz-Target */
  unknownOperation(target: string | string[] | undefined): void {
    if (target === undefined) return;
    const name = NOT_SERVED.get(target);
    this.#once(
      this.#operations,
      name === undefined
        ? `${shown(String(target))} is no operation of DynamoDB's`
        : `${name} is not served yet: docs/compatibility.md`,
    );
  }

  /** A request for an operation at a path other than `/`. */
  unknownPath(method: string, path: string): void {
    this.#once(this.#paths, unknownPathText(method, path));
  }

  /** A request for an operation with a content type that no operation has. @param given its Content-Type */
  unknownContentType(given: string | string[] | undefined): void {
    this.#once(this.#contentTypes, unknownContentTypeText(given));
  }

  /** A connection that does not begin with HTTP/1.1. @param protocol what it begins with */
  otherProtocol(protocol: 'TLS' | 'HTTP/2'): void {
    this.#once(this.#protocols, `this port speaks plain HTTP/1.1: a client began with ${protocol}`);
  }

  /** A client that does not begin a TLS handshake on a port of HTTPS. */
  plainHttp(): void {
    this.#once(this.#protocols, 'this port speaks HTTPS: a client began with plain HTTP');
  }

  #once(told: Set<string>, hint: string): void {
    if (told.size >= MAX_TOLD || told.has(hint)) return;
    told.add(hint);
    this.#tell(hint);
  }
}

/** Describes a request for an operation at a path other than `/`. @param path without its query */
export function unknownPathText(method: string, path: string): string {
  return `${method} ${shown(path)}: the endpoint has no path`;
}

/** Describes a request for an operation with this Content-Type, or with none. */
export function unknownContentTypeText(given: string | string[] | undefined): string {
  const problem =
    given === undefined ? 'The request has no content type' : `The content type ${shown(String(given))} is not known`;
  return `${problem}; that of operations is application/x-amz-json-1.0`;
}

/** Makes a foreign text safe to print: shortens it, and writes control and direction characters as code points. */
export function shown(text: string, maxLength = MAX_SHOWN): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;
  // Fast path: most texts are plain ASCII, and the character classes below are slow.
  if (/^[ -~]*$/.test(cut)) return cut;
  return cut.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (one) => `\\u{${one.codePointAt(0)!.toString(16)}}`);
}
