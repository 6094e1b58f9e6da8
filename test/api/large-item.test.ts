import { expect, test } from 'vitest';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { toImage } from '../../src/api/item.ts';
import { toImageInSlices } from '../../src/api/large-item.ts';

const attributes = (count: number): AttributeMap =>
  JSON.parse(
    `{"z":{"S":"é"},${Array.from({ length: count }, (_, at) => `"${at % 3 === 0 ? at : `a${at}`}":{"BOOL":true}`)},"__proto__":{"S":"x"}}`,
  );

test.each([1, 4_000, 30_000])('an item of %i attributes is encoded in slices as it is in one go', async (count) => {
  let pauses = 0;
  const item = attributes(count);
  const image = await toImageInSlices(item, async () => {
    pauses++;
  });
  const whole = toImage(item);
  expect([image.size, Buffer.from(image.json).toString()]).toEqual([whole.size, Buffer.from(whole.json).toString()]);
  expect(pauses).toBe(1 + Math.ceil((count + 2) / 4_000));
});

test('one that is too large is refused before all of it is', async () => {
  let pauses = 0;
  const encoded = toImageInSlices(attributes(200_000), async () => {
    pauses++;
  });
  await expect(encoded).rejects.toThrow('Item size has exceeded the maximum allowed size');
  expect(pauses).toBeLessThan(30);
});
