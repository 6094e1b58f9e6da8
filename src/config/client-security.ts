import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { ServerCertificate } from '../web/limited-server.ts';
import { type AccessKey, type Authenticate, type AuthenticateOptions, createAuthenticate } from '../web/signature.ts';
import { ConfigError } from './config-error.ts';
import { hintOf } from './nearest.ts';
import { OPTIONS } from './options.ts';
import type { AccessKeys, Settings } from './settings.ts';

/** What clients have to prove, and how they are spoken to, as the settings and the files say that they name. */
export class Security {
  readonly #settings: SecuritySettings;
  #https: ServerCertificate | undefined;
  #accessKeys: ReadonlyMap<string, AccessKey> | undefined;
  /** Verifies signatures; undefined: any access key and any secret will do. */
  readonly authenticate: Authenticate | undefined;

  /** @throws ConfigError if a file is not what it should be */
  constructor(settings: SecuritySettings, parts: Omit<AuthenticateOptions, 'keyOf'>) {
    this.#settings = settings;
    this.readAgain();
    if (settings.auth === undefined) return;
    this.authenticate = createAuthenticate({ keyOf: (accessKeyId) => this.#accessKeys!.get(accessKeyId), ...parts });
  }

  /** For HTTPS; undefined: plain HTTP. */
  get https(): ServerCertificate | undefined {
    return this.#https;
  }

  /** Whose signatures are accepted, by access key id; undefined: anybody's. */
  get accessKeys(): ReadonlyMap<string, AccessKey> | undefined {
    return this.#accessKeys;
  }

  /** @throws ConfigError if a file is not what it should be: all stays as it was */
  readAgain(): void {
    const { auth } = this.#settings;
    const https = readCertificate(this.#settings);
    this.#accessKeys = auth === undefined ? undefined : readAccessKeys(auth);
    this.#https = https;
  }
}

type SecuritySettings = Pick<Settings, 'httpsCert' | 'httpsKey' | 'auth'>;

const PEM = '-----BEGIN ';

/** The certificate for HTTPS with its key, from their files unless PEM itself is given. */
function readCertificate({ httpsCert, httpsKey }: SecuritySettings): ServerCertificate | undefined {
  if (httpsCert === undefined || httpsKey === undefined) return undefined;
  const cert = readPem(OPTIONS.httpsCert.flag, httpsCert);
  const key = readPem(OPTIONS.httpsKey.flag, httpsKey);
  try {
    createSecureContext({ cert: Buffer.from(cert), key: Buffer.from(key) });
  } catch (error) {
    const { flag } = OPTIONS.httpsCert;
    throw new ConfigError(`${flag} and ${OPTIONS.httpsKey.flag} cannot be used: ${oneLine(error)}`);
  }
  return { cert, key };
}

function readPem(flag: string, given: string | Uint8Array): string | Uint8Array {
  return typeof given !== 'string' || given.includes(PEM) ? given : readText(flag, given);
}

/** Access keys by id, from a file of JSON unless they are given themselves. Errors name the entry, and show no secret. */
function readAccessKeys(auth: string | AccessKeys): ReadonlyMap<string, AccessKey> {
  const { flag } = OPTIONS.auth;
  const where = typeof auth === 'string' ? `${flag} ${auth}` : 'auth';
  const given: unknown = typeof auth === 'string' ? parse(where, readText(flag, auth)) : auth;
  if (typeof given !== 'object' || given === null) {
    throw new ConfigError(`${where} must be an object of secrets by access key id, or a list of access keys`);
  }
  const keys = new Map<string, AccessKey>();
  const entries = Array.isArray(given)
    ? given
    : Object.entries(given).map(([accessKeyId, secretAccessKey]) => ({ accessKeyId, secretAccessKey }));
  for (const [index, entry] of entries.entries()) {
    const { accessKeyId, ...key } = checked(entry, `${where}, entry ${index + 1} of ${entries.length}`);
    if (keys.has(accessKeyId)) throw new ConfigError(`${where} has ${JSON.stringify(accessKeyId)} twice`);
    keys.set(accessKeyId, key);
  }
  if (keys.size === 0) throw new ConfigError(`${where} has no access key: nobody could use the server`);
  return keys;
}

const REQUIRED = ['accessKeyId', 'secretAccessKey'] as const;
const MEMBERS: readonly string[] = [...REQUIRED, 'sessionToken', 'region'];

function checked(entry: unknown, where: string): AccessKey & { readonly accessKeyId: string } {
  if (typeof entry !== 'object' || entry === null) throw new ConfigError(`${where}: must be an object`);
  for (const [name, value] of Object.entries(entry)) {
    // The SDK adds `$source` to the credentials of a client, which may be the same object.
    if (name.startsWith('$')) continue;
    if (!MEMBERS.includes(name)) {
      throw new ConfigError(`${where}: there is no ${JSON.stringify(name)}${hintOf(name, MEMBERS)}`);
    }
    if (value !== undefined && (typeof value !== 'string' || value === '')) {
      throw new ConfigError(`${where}: ${name} must be a text`);
    }
  }
  const key = entry as AccessKey & { readonly accessKeyId: string };
  for (const name of REQUIRED) if (key[name] === undefined) throw new ConfigError(`${where}: ${name} is missing`);
  // These end the id in a credential.
  if (/[/,\s]/.test(key.accessKeyId)) throw new ConfigError(`${where}: accessKeyId must have no slash, comma or blank`);
  const { accessKeyId, secretAccessKey, sessionToken, region } = key;
  return { accessKeyId, secretAccessKey, sessionToken, region };
}

function readText(flag: string, path: string): string {
  try {
    // Some editors begin a file with a byte order mark, which JSON does not allow.
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    throw new ConfigError(`${flag} ${path} cannot be read: ${oneLine(error)}`);
  }
}

/** The message of `JSON.parse` may quote what is around a mistake, which may be a secret: only the position is shown. */
function parse(where: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const position = /position \d+( \(line \d+ column \d+\))?$/.exec((error as Error).message)?.[0];
    throw new ConfigError(`${where} is not JSON${position === undefined ? '' : ` at ${position}`}`);
  }
}

function oneLine(error: unknown): string {
  return (error as Error).message.replaceAll(/\s*\n\s*/g, ' ');
}
