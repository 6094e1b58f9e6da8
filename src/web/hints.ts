import { NOT_SERVED } from '../api/service-operations.ts';

/** Texts of one kind that are told; a client that makes up new ones fills no log. */
const MAX_TOLD = 100;

/** Characters of a text of a client in a hint or an error. */
const MAX_SHOWN = 100;

/**
 * Tells whoever reads the log what the author of a client would otherwise look for in the client, once for each thing.
 */
export class Hints {
  readonly #tell: (hint: string) => void;
  readonly #operations = new Set<string>();
  readonly #paths = new Set<string>();
  readonly #contentTypes = new Set<string>();
  readonly #protocols = new Set<string>();

  /** @param tell takes one line, without control characters */
  constructor(tell: (hint: string) => void) {
    this.#tell = tell;
  }

  /** A request for an operation that there is not. @param target its X-Amz-Target */
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

  /** A request for an operation at another path than `/`. */
  unknownPath(method: string, path: string): void {
    this.#once(this.#paths, unknownPathText(method, path));
  }

  /** A request for an operation whose body is of a type that none has. @param given its Content-Type */
  unknownContentType(given: string | string[] | undefined): void {
    this.#once(this.#contentTypes, unknownContentTypeText(given));
  }

  /** A connection that began with something else than HTTP/1.1. @param protocol what it is */
  otherProtocol(protocol: 'TLS' | 'HTTP/2'): void {
    this.#once(this.#protocols, `this port speaks plain HTTP/1.1: a client began with ${protocol}`);
  }

  #once(told: Set<string>, hint: string): void {
    if (told.size >= MAX_TOLD || told.has(hint)) return;
    told.add(hint);
    this.#tell(hint);
  }
}

/** What is wrong with a request for an operation at another path than `/`. @param path without its query */
export function unknownPathText(method: string, path: string): string {
  return `${method} ${shown(path)}: the endpoint has no path`;
}

/** What is wrong with a request for an operation that has this Content-Type, or none. */
export function unknownContentTypeText(given: string | string[] | undefined): string {
  const problem =
    given === undefined ? 'The request has no content type' : `The content type ${shown(String(given))} is not known`;
  return `${problem}; that of operations is application/x-amz-json-1.0`;
}

/** A text of somebody else, cut, with what a terminal might obey, or turn around, written as its code point. */
export function shown(text: string, maxLength = MAX_SHOWN): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;
  // Most are, and the classes below take their time.
  if (/^[ -~]*$/.test(cut)) return cut;
  return cut.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (one) => `\\u{${one.codePointAt(0)!.toString(16)}}`);
}
