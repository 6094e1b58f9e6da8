import { promisify } from 'node:util';
import { constants, crc32, deflate, gzip } from 'node:zlib';
import type { Room } from './byte-budget.ts';
import { type AnswerCoding, answerCoding } from './content-coding.ts';
import type { HttpHeaders, HttpResponse } from './http-message.ts';
import { LARGE_ANSWER_BYTES } from './large-answer.ts';
import type { Slots } from './slots.ts';

const COMPRESS = { gzip: promisify(gzip), deflate: promisify(deflate) };

/**
 * The fastest level, because most clients are on this machine or near it. The chunk is the amount of work handed to a
 * thread at a time.
 */
const OPTIONS = { level: constants.Z_BEST_SPEED, chunkSize: 64 * 1024 };

/** When more answers than this wait for compression, further ones are sent uncompressed, which clients accept too. */
const MAX_WAITING = 64;

/** The coding of this answer for a client that sent these headers; undefined: send it uncompressed. */
export function codingFor(headers: HttpHeaders, answer: HttpResponse): AnswerCoding | undefined {
  const accepted = headers['accept-encoding'];
  return accepted === undefined ? undefined : answerCoding(accepted, answer.body.length);
}

/**
 * Compresses the body of an answer on threads of the pool, unless the result would be larger.
 * @param slots limits how many bodies and answers are compressed or decompressed at a time
 * @param room memory for large answers while they wait; an answer that gets none is sent uncompressed
 */
export async function compress(
  answer: HttpResponse,
  { coding, isRequired }: AnswerCoding,
  slots: Slots,
  room: Room,
): Promise<HttpResponse> {
  if (slots.waiting >= MAX_WAITING && !isRequired) return answer;
  const bytes = answer.body.length > LARGE_ANSWER_BYTES ? answer.body.length : 0;
  const isTaken = room.take(bytes);
  if (!isTaken && !isRequired) return answer;
  await slots.take();
  // zlib fails when it cannot allocate memory; the uncompressed answer is still good.
  const body = await COMPRESS[coding](answer.body, OPTIONS)
    .catch(() => undefined)
    .finally(() => {
      slots.give();
      if (isTaken) room.give(bytes);
    });
  if (body === undefined || (body.length >= answer.body.length && !isRequired)) return answer;
  const { headers } = answer;
  replace(headers, 'Content-Length', String(body.length));
  // The checksum is of the compressed body: SDKs check it before they decompress (aws-sdk-go-v2, aws-sdk-java).
  replace(headers, 'x-amz-crc32', String(crc32(body)));
  headers.push('Content-Encoding', coding);
  return { ...answer, body };
}

function replace(headers: string[], name: string, value: string): void {
  headers[headers.indexOf(name) + 1] = value;
}
