import { describe, expect, test } from 'vitest';
import { writeOfLine } from '../../src/transfer/item-line.ts';
import { ALBUMS } from './sample-table.ts';

const KEY = '"artist":{"S":"ABBA"},"year":{"N":"1976"}';

const writeIn = (line: string) => {
  const write = writeOfLine(ALBUMS, line);
  return write.kind === 'write' ? `${write.operation} ${write.json}` : write;
};
const problemOf = (line: string) => {
  const write = writeOfLine(ALBUMS, line);
  return write.kind === 'bad' ? write.problem : write;
};

describe('a line', () => {
  test('of a full export is sent with the very text of its item', () => {
    const item = `{ ${KEY}, "n" : {"N":"1.0000000000000000000000000000000000000e5"}, "s":{"S":"\\u00e9\\/"} }`;
    expect(writeIn(`  {"Item" : ${item}  }\r`)).toBe(`PutItem ${item}`);
  });

  test('takes no longer for a text of blanks', () => {
    const item = `{${KEY},"a":{"S":"${' '.repeat(400_000)}x"}}`;
    const cpuBefore = process.cpuUsage();
    expect(writeIn(`{"Item":${item}}`)).toBe(`PutItem ${item}`);
    expect(writeIn(`{"\\u0049tem":${item}}`)).toBe(`PutItem ${item}`);
    expect(process.cpuUsage(cpuBefore).user).toBeLessThan(2_000_000);
  });

  test('may be the bare item', () => {
    expect(writeIn(`{${KEY}}`)).toBe(`PutItem {${KEY}}`);
    // An attribute may have any name.
    expect(writeIn(`{${KEY},"Item":{"S":"x"}}`)).toBe(`PutItem {${KEY},"Item":{"S":"x"}}`);
    const all = `{${KEY},"Keys":{"S":"x"},"Metadata":{"M":{}}}`;
    expect(writeIn(all)).toBe(`PutItem ${all}`);
  });

  test('of an incremental export puts the new image, or deletes where there is none', () => {
    const change = `"Metadata":{"WriteTimestampMicros":{"N":"1680109764000000"}},"Keys":{${KEY}},"OldImage":{${KEY}}`;
    expect(writeIn(`{${change},"NewImage":{${KEY},"a":{"S":""}}}`)).toBe(`PutItem {${KEY},"a":{"S":""}}`);
    expect(writeIn(`{${change}}`)).toBe(`DeleteItem {${KEY}}`);
  });

  test('has the same key as another one exactly if the service takes both for one item', () => {
    const keyOf = (line: string) => (writeOfLine(ALBUMS, line) as { key: string }).key;
    expect(keyOf(`{"artist":{"S":"ABBA"},"year":{"N":"1976.0"}}`)).toBe(keyOf(`{"Item":{${KEY}}}`));
    expect(keyOf(`{"artist":{"S":"ABBA"},"year":{"N":"1977"}}`)).not.toBe(keyOf(`{${KEY}}`));
    expect(keyOf(`{"Metadata":{},"Keys":{${KEY}}}`)).toBe(keyOf(`{${KEY}}`));
  });

  test.each([
    ['{"Item":{"artist"', /^it is no JSON: .*(position|end)/],
    ['{\r', /^an item has to be one line, as jq -c/],
    ['[', /^an item has to be one line, as jq -c/],
    [`{"Items":[{${KEY}}],"Count":1,"ScannedCount":1}`, /^an item has to be one line, as jq -c/],
    ['[]', 'it is no object such as {"Item":{"id":{"S":"1"}}}'],
    ['{"Item":5}', 'an item must be an object, not a number'],
    [`{"Item":{${KEY},"a":{"X":"1"}}}`, 'attribute a has the type "X", which DynamoDB does not have'],
    [`{"Item":{${KEY},"a":{"N":1}}}`, 'attribute a of type N must be a string, not a number'],
    [`{${KEY},"a":{"M":{"b":{"L":[{"S":"x"},{"BOOL":"true"}]}}}}`, /^attribute a\.b\[1\] of type BOOL/],
    [`{${KEY},"a":{"B":"?"}}`, 'attribute a of type B must be base64 text, which this string is not'],
    [`{${KEY},"a":{"B":5}}`, 'attribute a of type B must be base64 text, not a number'],
    [`{${KEY},"a":"text"}`, 'attribute a must be a typed value such as {"S":"text"}, not a string'],
    [`{${KEY},"a":{"S":"x","N":"1"}}`, 'attribute a must have exactly one type, not 2'],
    [`{${KEY},"a":{"N":"x"}}`, /^ValidationException: .*numeric/],
    ['{"artist":{"S":"ABBA"}}', /^ValidationException: .*Missing the key year in the item$/],
    ['{"artist":{"S":"ABBA"},"year":{"S":"1976"}}', /^ValidationException: .*Type mismatch for key year/],
    [`{${KEY},"a":{"S":"${'x'.repeat(409_600)}"}}`, /^the item has 4096\d\d bytes, more than the 409600/],
    [`{"Metadata":{},"Keys":{"artist":{"S":"ABBA"}}}`, /^ValidationException: .*does not match the schema$/],
  ])('that is wrong is told why: %.60s', (line, problem) => {
    if (typeof problem === 'string') expect(problemOf(line)).toBe(problem);
    else expect(problemOf(line)).toMatch(problem);
  });
});
