import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OutputFile } from '../../src/transfer/output-file.ts';
import { temporaryDirectory } from '../parts/directory.ts';

test.each(['gzip', 'plain'] as const)(
  'a file goes on from any of its points, whatever came after it (%s)',
  async (coding) => {
    const path = join(temporaryDirectory(), 'file');
    const parts = fc.array(fc.string({ unit: 'binary', maxLength: 200 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(parts, parts, fc.uint8Array(), async (kept, more, torn) => {
        let file = await OutputFile.open(path, { coding });
        for (const text of kept) await file.write(text);
        const point = JSON.parse(JSON.stringify(file.point));
        await file.close();
        appendFileSync(path, torn);
        file = await OutputFile.open(path, { coding, from: point });
        for (const text of more) await file.write(text);
        await file.finish();
        const bytes = readFileSync(path);
        expect((coding === 'gzip' ? gunzipSync(bytes) : bytes).equals(Buffer.from([...kept, ...more].join('')))).toBe(
          true,
        );
      }),
      { numRuns: 40 },
    );
  },
);

test('a file that has become shorter is refused', async () => {
  const path = join(temporaryDirectory(), 'file');
  const file = await OutputFile.open(path, { coding: 'plain' });
  await file.write('text');
  await file.close();
  await expect(OutputFile.open(path, { coding: 'plain', from: { ...file.point, bytes: 5 } })).rejects.toThrow(
    /shorter than it was/,
  );
});

test('a file whose folder is not there is refused by the option that named it', async () => {
  const path = join(temporaryDirectory(), 'nowhere/items.json');
  await expect(OutputFile.open(`${path}.part`, { coding: 'plain' })).rejects.toThrow(
    `--output ${path}: its folder is not there`,
  );
});
