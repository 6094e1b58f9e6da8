import { promisify } from 'node:util';
import { constants, crc32, deflate, gzip } from 'node:zlib';
import { type AnswerCoding, answerCoding } from './content-coding.ts';
import type { HttpHeaders, HttpResponse } from './http-message.ts';
import type { Slots } from './slots.ts';

const COMPRESS = { gzip: promisify(gzip), deflate: promisify(deflate) };

/** The fastest level: most clients are on this machine, or next to it. The chunk is what a thread is asked for at a time. */
const OPTIONS = { level: constants.Z_BEST_SPEED, chunkSize: 64 * 1024 };

/** With more answers in line than that, the next ones are sent as they are, which clients accept too. */
const MAX_WAITING = 64;

/** How this answer is to be encoded for the client that sent these headers; undefined: as it is. */
export function codingFor(headers: HttpHeaders, answer: HttpResponse): AnswerCoding | undefined {
  const accepted = headers['accept-encoding'];
  return accepted === undefined ? undefined : answerCoding(accepted, answer.body.length);
}

/**
 * The answer with its body encoded, unless it would grow, by threads of the pool.
 * @param slots answers and bodies that are worked on at a time
 */
export async function compress(
  answer: HttpResponse,
  { coding, isRequired }: AnswerCoding,
  slots: Slots,
): Promise<HttpResponse> {
  if (slots.waiting >= MAX_WAITING && !isRequired) return answer;
  await slots.take();
  // zlib fails where there is no memory for it: the answer is good all the same.
  const body = await COMPRESS[coding](answer.body, OPTIONS)
    .catch(() => undefined)
    .finally(() => slots.give());
  if (body === undefined || (body.length >= answer.body.length && !isRequired)) return answer;
  const { headers } = answer;
  replace(headers, 'Content-Length', String(body.length));
  // Of the body as it is sent: SDKs check it before they decode (aws-sdk-go-v2, aws-sdk-java).
  replace(headers, 'x-amz-crc32', String(crc32(body)));
  headers.push('Content-Encoding', coding);
  return { ...answer, body };
}

function replace(headers: string[], name: string, value: string): void {
  headers[headers.indexOf(name) + 1] = value;
}
