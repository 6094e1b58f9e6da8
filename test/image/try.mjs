// Runs a built image in every form in which DynamoDB Local's is run, and says of each whether it holds.
//   IMAGE=dynaring ENGINE=docker node test/image/try.mjs [words that the name of a form has]
// The last line is `N passed, N failed`; the status is 1 if any failed.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateTableCommand, DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';

const { IMAGE = 'dynaring', ENGINE = 'docker' } = process.env;
const READY_WITHIN_MS = 1_000;
const STOPPED_WITHIN_MS = 1_000;
const PATIENCE_MS = 10_000;
const BANNER = 'Initializing DynamoDB Local with the following configuration:';
const PREFIX = `dynaring-try-${process.pid}`;

const engine = (...args) => execFileSync(ENGINE, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
const status = (...args) => spawnSync(ENGINE, args, { stdio: 'ignore' }).status;

/** What each form adds to `run`: options before the image's name, arguments behind it, and what is looked at meanwhile. */
const JAR = ['-jar', 'DynamoDBLocal.jar'];
const FORMS = [
  { name: 'no arguments' },
  { name: 'arguments of DynamoDB Local', args: ['-inMemory', '-sharedDb'] },
  { name: '-jar DynamoDBLocal.jar', args: [...JAR, '-inMemory', '-sharedDb'] },
  { name: 'options of the JVM', args: ['-Djava.library.path=./DynamoDBLocal_lib', '-Xmx256m', ...JAR, '-sharedDb'] },
  { name: 'a leading java', args: ['java', ...JAR, '-inMemory'] },
  { name: 'entrypoint java', options: ['--entrypoint', 'java'], args: [...JAR, '-inMemory'] },
  { name: 'entrypoint sh -c', options: ['--entrypoint', 'sh'], args: ['-c', `java ${JAR.join(' ')} -inMemory`] },
  { name: 'entrypoint dynaring', options: ['--entrypoint', 'dynaring'], args: ['--nodes', '1'] },
  { name: 'its working directory', look: lookAtFolder },
  { name: 'its user', look: async (name) => equal(engine('exec', name, 'id', '-u'), '1000') },
  { name: '--user root', options: ['--user', 'root'], args: [...JAR, '-sharedDb', '-dbPath', './data'] },
  { name: '--user of any number', options: ['--user', '12345:0'], args: [...JAR, '-dbPath', './data'] },
  { name: '--user of any number and group', options: ['--user', '12345:12345'], args: ['--data-dir', '/data'] },
  { name: 'read-only without a tmpfs', options: [...'--read-only --cap-drop all'.split(' ')], readOnlyTmp: true },
  { name: 'read-only with data', options: ['--read-only', '-v', `${PREFIX}-ro:/data`], args: ['--data-dir', '/data'] },
  { name: 'port by -port', args: [...JAR, '-port', '9000'], port: 9000 },
  { name: 'port by --port=', args: ['--port=9000'], port: 9000 },
  { name: 'port by its variable', options: ['-e', 'DYNARING_PORT=9000'], port: 9000 },
];

/** The commands of the guide, each on a port and with volumes of its own. */
function formsOfGuide() {
  const text = readFileSync(new URL('../../docs/guide/docker-and-ci.md', import.meta.url), 'utf8');
  return [...text.matchAll(/^```sh docker\n([\s\S]*?)^```/gm)].map(([, command]) => {
    const words = command
      .replace(' --rm -p 8000:8000', '')
      .replaceAll('dynaring:/', `${PREFIX}-guide:/`)
      .trim()
      .split(/\s+/);
    const image = words.indexOf('dynaring');
    if (words.slice(0, 2).join(' ') !== 'docker run' || image < 0) throw new Error(`not understood: ${command}`);
    const form = { options: words.slice(2, image), args: words.slice(image + 1) };
    return { name: `the guide's ${command.trim()}`, ...form, readOnlyTmp: words.includes('--read-only') };
  });
}

async function main() {
  const words = process.argv.slice(2);
  const forms = [...FORMS, ...formsOfGuide()].filter(({ name }) => words.every((word) => name.includes(word)));
  const results = [];
  for (const form of forms) results.push(await report(form.name, () => tryForm(form)));
  if (words.length === 0) {
    results.push(await report('data in a volume at ./data is there after a restart', keepsData));
    results.push(await report('labels and bill of materials', describesItself));
  }
  const passed = results.filter(Boolean).length;
  console.log(`${passed} passed, ${results.length - passed} failed`);
  if (passed < results.length) process.exitCode = 1;
}

async function report(name, run) {
  try {
    console.log(`ok   ${name}: ${await run()}`);
    return true;
  } catch (error) {
    console.log(`FAIL ${name}: ${error.stderr || error.message}`);
    return false;
  }
}

async function tryForm(form) {
  const { name, endpoint, readyMs } = await start(form);
  try {
    equal((await fetch(endpoint)).status, 400);
    equal((await fetch(endpoint, { method: 'HEAD' })).status, 400);
    equal(status('exec', name, 'healthy'), 0);
    // A port that nobody listens on, if the arguments do not say which.
    if (form.port === undefined) equal(status('exec', '-e', 'DYNARING_PORT=1', name, 'healthy') === 0, false);
    equal(
      engine('exec', name, 'curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', `localhost:${portOf(form)}`),
      '400',
    );
    equal((await client(endpoint).send(new ListTablesCommand({}))).TableNames, []);
    await form.look?.(name);
    const logs = spawnSync(ENGINE, ['logs', name], { encoding: 'utf8' });
    equal((logs.stdout + logs.stderr).includes(BANNER), true, `the log has no line "${BANNER}"`);
    if (readyMs > READY_WITHIN_MS) throw new Error(`ready after ${readyMs} ms`);
    return `ready in ${readyMs} ms, stopped in ${await stop(name)} ms`;
  } finally {
    remove(name);
  }
}

/** Starts a container, and waits until it answers. */
async function start({ options = [], args = [], readOnlyTmp, ...form }) {
  const name = `${PREFIX}-${Math.random().toString(36).slice(2)}`;
  // Podman puts a tmpfs on /tmp of what is read-only, unless told otherwise; Docker does not.
  const tmp = readOnlyTmp && ENGINE.endsWith('podman') ? ['--read-only-tmpfs=false'] : [];
  const port = portOf(form);
  engine('run', '-d', '--name', name, '-p', `127.0.0.1::${port}`, ...tmp, ...options, IMAGE, ...args);
  const beginMs = Date.now();
  const endpoint = `http://${engine('port', name, `${port}/tcp`).split('\n')[0]}`;
  for (;;) {
    const answer = await fetch(`${endpoint}/health`).catch(() => undefined);
    if (answer?.status === 200) return { name, endpoint, readyMs: Date.now() - beginMs };
    if (Date.now() - beginMs > PATIENCE_MS) {
      const { stdout, stderr } = spawnSync(ENGINE, ['logs', name], { encoding: 'utf8' });
      remove(name);
      throw new Error(`does not answer; its log: ${(stdout + stderr).slice(0, 500)}`);
    }
    await sleep(10);
  }
}

/** As `docker stop` does, which would kill it after ten seconds. */
async function stop(name) {
  const beginMs = Date.now();
  engine('kill', '-s', 'TERM', name);
  const code = engine('wait', name);
  const ms = Date.now() - beginMs;
  equal(code, '0', `it ended with status ${code}`);
  if (ms > STOPPED_WITHIN_MS) throw new Error(`stopped after ${ms} ms`);
  return ms;
}

function remove(name) {
  spawnSync(ENGINE, ['rm', '-f', '-v', name], { stdio: 'ignore' });
}

async function lookAtFolder(name) {
  equal(engine('exec', name, 'pwd'), '/home/dynamodblocal');
  equal(engine('exec', name, 'sh', '-c', 'touch here && ls DynamoDBLocal.jar'), 'DynamoDBLocal.jar');
}

/** As in the compose file of the service's documentation. */
async function keepsData() {
  const volume = `${PREFIX}-data`;
  const form = {
    options: ['-v', `${volume}:/home/dynamodblocal/data`, '-w', '/home/dynamodblocal'],
    args: [...JAR, '-sharedDb', '-dbPath', './data'],
  };
  const first = await start(form);
  try {
    await client(first.endpoint).send(
      new CreateTableCommand({
        TableName: 'Orders',
        AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        BillingMode: 'PAY_PER_REQUEST',
      }),
    );
    await stop(first.name);
    const second = await start(form);
    equal((await client(second.endpoint).send(new ListTablesCommand({}))).TableNames, ['Orders']);
    const stopMs = await stop(second.name);
    remove(second.name);
    return `a table is there, stopped in ${stopMs} ms`;
  } finally {
    remove(first.name);
    spawnSync(ENGINE, ['volume', 'rm', '-f', volume], { stdio: 'ignore' });
  }
}

async function describesItself() {
  const [{ Config }] = JSON.parse(engine('image', 'inspect', IMAGE));
  for (const label of ['title', 'description', 'licenses', 'version', 'revision', 'created']) {
    equal(typeof Config.Labels[`org.opencontainers.image.${label}`], 'string', `there is no label ${label}`);
  }
  const text = engine('run', '--rm', '--entrypoint', 'cat', IMAGE, '/opt/dynaring/sbom.cdx.json');
  const { bomFormat, components } = JSON.parse(text);
  equal(bomFormat, 'CycloneDX');
  const debian = engine('run', '--rm', '--entrypoint', 'cat', IMAGE, '/opt/dynaring/debian-packages.txt');
  return `${components.length} npm packages, ${debian.split('\n').length} Debian packages`;
}

function portOf({ port = 8000 }) {
  return port;
}

function client(endpoint) {
  const credentials = { accessKeyId: 'any', secretAccessKey: 'any' };
  return new DynamoDBClient({ endpoint, region: 'local', credentials });
}

function equal(actual, expected, what = `got ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`) {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) throw new Error(what);
}

try {
  await main();
} finally {
  spawnSync(ENGINE, ['volume', 'rm', '-f', `${PREFIX}-ro`, `${PREFIX}-guide`], { stdio: 'ignore' });
}
