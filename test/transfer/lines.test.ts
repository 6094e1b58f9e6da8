import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Line, type LinePosition, linesOf } from '../../src/transfer/lines.ts';
import { LIMITS } from '../../src/transfer/transfer-limits.ts';

async function read(chunks: readonly Buffer[], from?: LinePosition): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const some of linesOf(
    (async function* () {
      yield* chunks;
    })(),
    from,
  ))
    lines.push(...some);
  return lines;
}

const textsOf = (lines: readonly Line[]) =>
  lines.map(({ content }) => (content.kind === 'text' ? content.text : content.problem));

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...chunks, bytes.subarray(at)];
}

describe('lines', () => {
  test('are the same however the bytes are cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'binary' }).filter((text) => !/[\r\n\uFEFF]/.test(text) && /\S/.test(text))),
        fc.array(fc.nat(9)),
        fc.boolean(),
        async (texts, sizes, ends) => {
          const bytes = Buffer.from(texts.join('\n') + (ends && texts.length > 0 ? '\n' : ''));
          const lines = await read(cut(bytes, sizes));
          expect(textsOf(lines)).toEqual(texts);
          expect(lines.at(-1)?.end ?? 0).toBe(bytes.length);
        },
      ),
    );
  });

  test('go on from the end of any of them', async () => {
    const bytes = Buffer.from('one\r\n\ntwo\nthree é\n\nfour');
    const lines = await read([bytes]);
    expect(textsOf(lines)).toEqual(['one', 'two', 'three é', 'four']);
    expect(lines.map(({ number }) => number)).toEqual([1, 3, 4, 6]);
    for (const [index, { number, end }] of lines.entries()) {
      expect(await read([bytes.subarray(end)], { line: number, end })).toEqual(lines.slice(index + 1));
    }
  });

  test('lose a byte order mark, at the beginning of a file only', async () => {
    expect(textsOf(await read([Buffer.from('\uFEFFone\n\uFEFFtwo')]))).toEqual(['one', '\uFEFFtwo']);
  });

  test('that are no UTF-8 or too long are told, and the next one is read', async () => {
    const long = Buffer.alloc(LIMITS.maxLineBytes, 'x');
    const lines = await read([Buffer.from([0xff, 0x0a]), long, Buffer.from('xx\nafter\n')]);
    expect(textsOf(lines)).toEqual(['it is not UTF-8', `it is longer than ${LIMITS.maxLineBytes} bytes`, 'after']);
    expect(lines.map(({ number }) => number)).toEqual([1, 2, 3]);
  });
});
