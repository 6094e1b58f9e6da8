import { describe, expect, test } from 'vitest';
import type { Codec } from '../../src/env/codec.ts';
import { LocalTransport } from '../../src/env/local-transport.ts';

const turn = () => new Promise(setImmediate);

function network() {
  const local = new LocalTransport<string, string>();
  const said: string[] = [];
  const join = (node: string) => {
    local.register(node, (from, request, reply) => {
      said.push(`${node} got ${request} from ${from}`);
      reply(`${node} answers ${request}`);
    });
    return local.transport(node);
  };
  return { local, said, join };
}

test('a request is answered after the call, also one to the sender', async () => {
  const { said, join } = network();
  const a = join('a');
  join('b');
  a.send('b', 'one', (reply) => said.push(reply));
  a.send('a', 'two', (reply) => said.push(reply));
  expect(said).toEqual([]);
  await turn();
  expect(said).toEqual(['b got one from a', 'b answers one', 'a got two from a', 'a answers two']);
});

test('what is sent while messages are delivered is delivered in the same turn', async () => {
  const { said, join } = network();
  const a = join('a');
  join('b');
  a.send('b', 'one', () => a.send('b', 'two', () => said.push('done')));
  await Promise.resolve();
  expect(said.at(-1)).toBe('done');
});

test('a request to a stopped node is lost, and so are the replies to one', async () => {
  const { local, said, join } = network();
  const a = join('a');
  const b = join('b');
  a.send('b', 'to a stopped node', () => said.push('answered'));
  b.send('a', 'from a stopped node', () => said.push('answered'));
  local.unregister('b');
  b.send('a', 'after its end', () => said.push('answered'));
  await turn();
  expect(said).toEqual(['a got from a stopped node from b']);
});

test('a node that was started again does not answer for its former self', async () => {
  const local = new LocalTransport<string, string>();
  const replies: ((reply: string) => void)[] = [];
  const said: string[] = [];
  local.register('b', (_from, _request, reply) => replies.push(reply));
  const a = local.transport('a');
  a.send('b', 'one', (reply) => said.push(reply));
  await turn();
  local.unregister('b');
  local.register('b', (_from, _request, reply) => reply('new'));
  a.send('b', 'two', (reply) => said.push(reply));
  replies[0]!('old');
  await turn();
  expect(said).toEqual(['new']);
});

describe('with codecs', () => {
  interface Note {
    text: string;
  }
  const json: Codec<Note> = {
    encode: (note) => Buffer.from(JSON.stringify(note)),
    decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as Note,
  };

  test('a message is what it was when it was sent, and nothing that its sender holds', async () => {
    const local = new LocalTransport<Note, Note>({ request: json, reply: json });
    const answer: Note = { text: 'answer' };
    const received: Note[] = [];
    local.register('b', (_from, request, reply) => {
      received.push(request);
      reply(answer);
      answer.text = 'changed';
    });
    const question: Note = { text: 'question' };
    local.transport('a').send('b', question, (reply) => received.push(reply));
    question.text = 'changed';
    await turn();
    expect(received).toEqual([{ text: 'question' }, { text: 'answer' }]);
  });

  test('nothing is delivered within the call, or from a node that has stopped', async () => {
    const local = new LocalTransport<Note, Note>({ request: json, reply: json });
    const received: Note[] = [];
    local.register('b', (_from, request) => received.push(request));
    const a = local.transport('a');
    a.send('b', { text: 'one' }, () => {});
    expect(received).toEqual([]);
    await turn();
    local.unregister('a');
    a.send('b', { text: 'two' }, () => {});
    await turn();
    expect(received).toEqual([{ text: 'one' }]);
  });
});
