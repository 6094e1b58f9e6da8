/**
 * Whether the service accepts this text as binary: RFC 4648 alphabet, padded, and no stray bits in the last character.
 * This is a loop because a regular expression can overflow the stack on texts of megabytes.
 */
export function isBase64(text: string): boolean {
  const { length } = text;
  if (length === 0) return true;
  if (length % 4 !== 0) return false;
  const padding = text.charCodeAt(length - 1) !== PAD ? 0 : text.charCodeAt(length - 2) !== PAD ? 1 : 2;
  let code = 0;
  for (let i = 0; i < length - padding; i++) {
    code = text.charCodeAt(i);
    if (code > 127 || SIXTETS[code] === NONE) return false;
  }
  const strayBits = padding === 0 ? 0 : padding === 1 ? 0b11 : 0b1111;
  return (SIXTETS[code]! & strayBits) === 0;
}

const PAD = '='.charCodeAt(0);
const NONE = 255;
const SIXTETS = new Uint8Array(128).fill(NONE);
for (const [value, character] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  SIXTETS[character.charCodeAt(0)] = value;
}
