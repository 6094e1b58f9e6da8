import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { parsePeerCommand } from '../../src/config/parse-peer.ts';

const FOLDER = fileURLToPath(new URL('../../examples/three-hosts/', import.meta.url));
/** What the image sets, too. */
const IMAGE = { DYNARING_HOST: 'all' };

const textOf = (file: string) => readFileSync(`${FOLDER}${file}`, 'utf8');

describe('examples/three-hosts/compose.yaml', () => {
  const { services, volumes, secrets } = parse(textOf('compose.yaml'), { merge: true });
  const names = Object.keys(services);

  test.each(names)('%s is a node of its own, with a disk of its own, that all can reach', (name) => {
    const { command, environment, volumes: mounts, secrets: given, healthcheck } = services[name];
    expect(command).toEqual(['serve']);
    const { peer, config, warnings } = parsePeerCommand('serve', [], { ...IMAGE, ...environment }) as never as {
      peer: Record<string, unknown>;
      config: Record<string, unknown>;
      warnings: readonly string[];
    };
    expect(warnings).toEqual([]);
    expect(peer).toMatchObject({ nodeId: name, peerAddress: { host: name, port: 8100 }, role: 'node' });
    expect(peer.join).toEqual(names.map((host) => ({ host, port: 8100 })));
    expect(mounts).toEqual([`${name}:${config.dataDir}`]);
    expect(given.map((secret: string) => `/run/secrets/${secret}`)).toEqual([peer.clusterSecretFile]);
    // The image has this program.
    expect(healthcheck.test).toEqual(['CMD', 'healthy']);
  });

  test('is founded by what its first lines say', () => {
    const [, founders] = /init --node-id \$name --founders (\S+?);/.exec(textOf('compose.yaml'))!;
    for (const name of names) {
      const args = ['--node-id', name, '--founders', founders!];
      const command = parsePeerCommand('init', args, { ...IMAGE, ...services[name].environment });
      expect(command).toMatchObject({ kind: 'init', dataDir: '/data', peer: { founders: names } });
    }
    expect(Object.keys(volumes)).toEqual(names);
    expect(Object.keys(secrets)).toEqual(['cluster']);
  });
});

describe('examples/three-hosts/statefulset.yaml', () => {
  const documents = parseAllDocuments(textOf('statefulset.yaml')).map((document) => document.toJS());
  const set = documents.find(({ kind }) => kind === 'StatefulSet');
  const { initContainers, containers, volumes } = set.spec.template.spec;
  const pods = Array.from({ length: set.spec.replicas }, (_, index) => `${set.metadata.name}-${index}`);

  /** The environment of a container in a pod, as Kubernetes makes it. */
  const environmentIn = (pod: string, { env }: { env: { name: string; value?: string }[] }) => {
    const values: Record<string, string> = { ...IMAGE };
    for (const { name, value = pod } of env) {
      values[name] = value.replaceAll(/\$\((\w+)\)/g, (_, other: string) => values[other]!);
    }
    return values;
  };

  test.each(pods)('%s finds the others by the names that the headless service gives them', (pod) => {
    const headless = documents.find(({ metadata }) => metadata.name === set.spec.serviceName);
    expect(headless.spec).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true });
    const { peer, config, warnings } = parsePeerCommand('serve', [], environmentIn(pod, containers[0])) as never as {
      peer: Record<string, unknown>;
      config: Record<string, unknown>;
      warnings: readonly string[];
    };
    expect(warnings).toEqual([]);
    const addressOf = (name: string) => ({ host: `${name}.${headless.metadata.name}`, port: 8100 });
    expect(peer).toMatchObject({ nodeId: pod, peerAddress: addressOf(pod), join: pods.map(addressOf) });
    const mounted = Object.fromEntries(
      containers[0].volumeMounts.map(({ name, mountPath }: Record<string, string>) => [name, mountPath]),
    );
    expect(mounted.data).toBe(config.dataDir);
    expect(peer.clusterSecretFile).toBe(`${mounted.secret}/secret`);
    expect(volumes.map(({ name }: { name: string }) => name)).toEqual(['secret']);
  });

  test('founds by the disks of all pods, and only where that is asked for', () => {
    const script: string = initContainers[0].command[2];
    const [, founders] = /--founders (\S+)/.exec(script)!;
    expect(founders!.split(',')).toEqual(pods);
    expect(script).toMatch(/^\[ "\$FOUND" != once \] \|\| \[ -e \/data\/dynaring-peer\.json \] \|\| dynaring init /);
    expect(set.spec.podManagementPolicy).toBe('Parallel');
  });
});
