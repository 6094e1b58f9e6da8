import { expect, test } from 'vitest';
import { javaForm } from '../../src/web/java-form.ts';
import { readSchema } from '../../src/web/schema.ts';

const common = readSchema('common');
const valueForm = (value: unknown, most = 10_000) =>
  javaForm(value, { $ref: '#/definitions/AttributeValue' }, common, most);

/** Of an attribute value, without the members that it does not have. */
const short = (value: unknown) => valueForm(value).replaceAll(/, \w+=null|\w+=null, /g, '');

// Recorded of texts 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1; of the other types in the same form.
test.each<[object, string]>([
  [{ S: 'k-0' }, 'AttributeValue(s=k-0)'],
  [{ N: '1' }, 'AttributeValue(n=1)'],
  [{ B: 'AQID' }, 'AttributeValue(b=java.nio.HeapByteBuffer[pos=0 lim=3 cap=3])'],
  [{ SS: ['a', 'b'] }, 'AttributeValue(sS=[a, b])'],
  [{ NULL: true }, 'AttributeValue(nULL=true)'],
  [{ BOOL: false }, 'AttributeValue(bOOL=false)'],
  [{ L: [{ S: '' }, { M: {} }] }, 'AttributeValue(l=[AttributeValue(s=), AttributeValue(m={})])'],
  [{ M: { a: { S: 'x' }, b: { N: '2' } } }, 'AttributeValue(m={a=AttributeValue(s=x), b=AttributeValue(n=2)})'],
  [
    JSON.parse('{"M":{"__proto__":{"S":"x"},"toString":{"S":"y"}},"Foreign":1}'),
    'AttributeValue(m={__proto__=AttributeValue(s=x), toString=AttributeValue(s=y)})',
  ],
])('%j', (value, form) => {
  expect(short(value)).toBe(form);
});

test('what has no room is not looked at', () => {
  const list = new Proxy(
    Array.from({ length: 1_000_000 }, () => ({ S: 'x' })),
    {
      get(target, key) {
        if (Number(key) > 10) throw new Error(`element ${String(key)} is read`);
        return Reflect.get(target, key);
      },
    },
  );
  expect(valueForm({ L: list }, 1_000)).toHaveLength(1_000 + '...'.length);
  expect(valueForm({ S: 'x'.repeat(1_000_000) }, 1_000)).toHaveLength(1_003);
  expect(valueForm({ S: '\u{1f600}'.repeat(1_000) }, 100)).not.toMatch(/\p{Surrogate}/u);
});
