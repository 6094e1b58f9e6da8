import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import supertest from 'supertest';
import { describe, expect, test } from 'vitest';
import { canConflict } from '../../src/api/fault-error.ts';
import { OPERATIONS } from '../../src/api/operations.ts';
import { ADMIN_ROUTES } from '../../src/web/admin-routes.ts';
import { adminServer, TRACE } from './fake-admin.ts';

interface Content {
  readonly 'application/json': { readonly schema: object; readonly example?: unknown };
  readonly 'text/plain'?: { readonly example: string };
}

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly example: string;
}

interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content; readonly $ref?: string }>>;
}

const PREFIX = '/_dynaring';
const api = JSON.parse(readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8')) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Record<string, { oneOf?: object[] }>; readonly responses: object };
};

/** Path, method and description of each route in the file. */
const described = Object.entries(api.paths)
  .filter(([path]) => path.startsWith(PREFIX))
  .flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path: path.slice(PREFIX.length), method, operation })),
  );

const ajv = new Ajv2020({ strict: false });
ajv.addSchema({ $id: 'api', components: api.components });

/** What is wrong with a value, by a schema of the file. */
function errorsOf(schema: object, value: unknown): string {
  const rooted = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/')) as object;
  return ajv.validate(rooted, value) ? '' : ajv.errorsText();
}

function schemaOf({ content }: { readonly content?: Content }): object {
  return content!['application/json'].schema;
}

/** Text for people, without the figures and with one node. */
function outlineOf(text: string): string {
  const [summary, partitions, none, head] = text.split('\n');
  return [summary!.replace(/^.*;/, ''), partitions, none, head]
    .join('\n')
    .replaceAll(/\d+/g, 'N')
    .replaceAll(/ +/g, ' ');
}

test('the file and the server have the same routes, with the same parameters', () => {
  const route = (method: string, path: string, query: readonly string[], hasBody: boolean) =>
    `${method.toUpperCase()} ${path} ${[...query].sort().join()} ${hasBody}`;
  const inFile = described.map(({ path, method, operation: { parameters = [], requestBody } }) => {
    const names = (where: string) => parameters.filter((each) => each.in === where).map(({ name }) => name);
    expect(names('path').sort(), path).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort());
    return route(method, path, names('query'), requestBody !== undefined);
  });
  const inServer = ADMIN_ROUTES.map(({ method, path, query = [], body }) =>
    route(method, path, query, body !== undefined),
  );
  expect(inFile.sort()).toEqual(inServer.sort());
});

describe('what the file shows is accepted, and answered as the file says', () => {
  test.each(described)('$method $path', async ({ path, method, operation }) => {
    const { server, admin } = adminServer();
    admin.trace = () => TRACE;
    admin.removeFault = () => {};
    const { parameters = [], requestBody, responses } = operation;
    const url = parameters
      .filter((each) => each.in === 'path')
      .reduce((url, { name, example }) => url.replace(`{${name}}`, encodeURIComponent(example)), PREFIX + path);
    const query = Object.fromEntries(
      parameters.filter((each) => each.in === 'query').map(({ name, example }) => [name, example]),
    );
    const example = requestBody?.content['application/json'].example;
    if (requestBody !== undefined) expect(errorsOf(schemaOf(requestBody), example)).toBe('');
    const response = await supertest(server)
      [method as 'get' | 'post' | 'put' | 'delete'](url)
      .query(query)
      .send(example as object);
    const success = Object.keys(responses).find((status) => status.startsWith('2'))!;
    expect(String(response.status)).toBe(success);
    const content = responses[success]!.content!;
    const text = content['text/plain'];
    if (text !== undefined) {
      expect(response.type).toBe('text/plain');
      return expect(outlineOf(response.text)).toBe(outlineOf(text.example));
    }
    expect(errorsOf(schemaOf({ content }), response.body)).toBe('');
    expect(errorsOf(schemaOf({ content }), content['application/json'].example)).toBe('');
    expect(errorsOf(schemaOf({ content }), { ...response.body, stranger: 1 })).not.toBe('');
  });
});

test.each([
  ['PUT', '/links/node-1/node-2', 'LinkSetting', [{}, { cut: 'yes' }, { dropRate: 2 }, { delayMs: -1 }, { speed: 1 }]],
  ['POST', '/snapshot', 'Snapshot', [{}, { format: 2, tables: [] }, { format: 1, tables: [{}] }]],
] as const)('%s %s: what the schema refuses, the server refuses, too', async (method, path, name, bodies) => {
  const { server } = adminServer();
  for (const body of bodies) {
    expect(errorsOf(api.components.schemas[name]!, body)).not.toBe('');
    const answer = await supertest(server)
      [method === 'PUT' ? 'put' : 'post'](PREFIX + path)
      .send(body);
    expect(answer.status).toBe(400);
    expect(errorsOf(api.components.schemas.Error!, answer.body)).toBe('');
  }
});

test('fault rules may be for each operation that there is', () => {
  const rules = api.components.schemas.FaultRule!.oneOf as {
    properties: { kind: { const: string }; operation?: { enum: string[] } };
  }[];
  // One is for tables, and one for GetRecords alone.
  const forRequests = rules.filter(({ properties }) => !['expiry', 'redelivery'].includes(properties.kind.const));
  expect(forRequests).toHaveLength(rules.length - 2);
  for (const { properties } of forRequests) {
    const possible = properties.kind.const === 'conflict' ? OPERATIONS.filter(canConflict) : OPERATIONS;
    expect(properties.operation!.enum).toEqual([...possible]);
  }
});

test('what is not below /_dynaring is there, too', async () => {
  const { server } = adminServer();
  const others = Object.keys(api.paths).filter((path) => !path.startsWith(PREFIX));
  expect(others).toEqual(['/_aws/dynamodb/expired', '/metrics', '/health']);
  for (const path of others) {
    const [method] = Object.keys(api.paths[path]!) as ['get' | 'delete'];
    await supertest(server)[method](path).expect(200);
  }
});
