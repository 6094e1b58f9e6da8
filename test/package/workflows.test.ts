import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDER = join(ROOT, '.github/workflows');
const { scripts, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

interface Step {
  readonly id?: string;
  readonly uses?: string;
  readonly run?: string;
}
interface Job {
  readonly needs?: string;
  readonly steps: readonly Step[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: Readonly<Record<string, readonly string[]>> };
}
interface Workflow {
  readonly on: { readonly push?: { readonly tags?: readonly string[] } };
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const workflows = readdirSync(FOLDER).map((name) => {
  const text = readFileSync(join(FOLDER, name), 'utf8');
  return { name, text, workflow: parse(text) as Workflow };
});
const workflowOf = (wanted: string) => workflows.find(({ name }) => name === wanted)!.workflow;
const isThere = (path: string) => statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile() === true;

describe.each(workflows)('$name', ({ text, workflow }) => {
  const jobs = Object.values(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps);
  const commands = steps.flatMap(({ run }) => (run === undefined ? [] : [run])).join('\n');

  test('may read the repository and no more, but in the jobs that publish', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' });
    const isForTags = workflow.on.push?.tags !== undefined;
    for (const { permissions } of jobs) if (permissions !== undefined) expect(isForTags).toBe(true);
  });

  test('names a version of each action', () => {
    for (const { uses } of steps) if (uses !== undefined) expect(uses).toMatch(/^[\w-]+\/[\w-]+@v\d+/);
  });

  test('runs scripts and files that are there', () => {
    for (const [, path] of commands.matchAll(/\b(?:bash|node) (?!-)(\S+)/g)) expect(isThere(path!), path).toBe(true);
    for (const [, script] of commands.matchAll(/\bnpm run (?:-s )?(\S+)/g)) expect(scripts).toHaveProperty([script!]);
  });

  test('speaks of jobs, steps and rows of the matrix that it has', () => {
    for (const { needs } of jobs) if (needs !== undefined) expect(workflow.jobs).toHaveProperty([needs]);
    const ids = steps.flatMap(({ id }) => id ?? []);
    for (const [, id] of text.matchAll(/\bsteps\.([\w-]+)\./g)) expect(ids).toContain(id);
    const rows = jobs.flatMap(({ strategy }) => Object.keys(strategy?.matrix ?? {}));
    for (const [, row] of text.matchAll(/\bmatrix\.([\w-]+)/g)) expect(rows).toContain(row);
  });
});

test('the oldest Node that is tested is the oldest that the package allows', () => {
  const { engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const [oldest] = workflowOf('ci.yml').jobs.test!.strategy!.matrix.node!;
  expect(engines.node).toBe(`>=${oldest}`);
});

test('the jobs do all parts of .ci/run between them', () => {
  const parts = workflowOf('ci.yml').jobs.test!.strategy!.matrix.part!.flatMap((row) => row.split(' '));
  const [, all] = /^ {2}all \| (.*)\) ;;$/m.exec(readFileSync(join(ROOT, '.ci/run'), 'utf8'))!;
  expect(parts).toEqual(all!.split(' | '));
});

test('the image runs on the newest of them, and has the version of the package', () => {
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
  const newest = workflowOf('ci.yml').jobs.test!.strategy!.matrix.node!.at(-1);
  expect(dockerfile).toContain(`FROM node:${newest}-slim `);
  expect(dockerfile).toContain(`ARG VERSION=${version}\n`);
});

test('what the image copies is there, and is sent to the builder', () => {
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
  const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths]) => paths!.split(' '));
  const sent = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
  for (const source of sources) {
    expect(statSync(join(ROOT, source), { throwIfNoEntry: false }), source).toBeDefined();
    expect(sent).toContain(`!${source.replace(/^\.\//, '').split('/')[0]}`);
  }
});
