/** The one byte form of what the ledger reads: CBOR with shortest lengths, no maps, no floats. Writes only. */
import { concat, utf8 } from '../verify/bytes';

/** Numbers, texts, byte strings, nothing, and lists of those. */
export type Value = bigint | number | string | Uint8Array | null | Value[];

export function encode(value: Value): Uint8Array {
  if (value === null) return Uint8Array.of(0xf6);
  if (typeof value === 'number' || typeof value === 'bigint') return head(0, BigInt(value));
  if (typeof value === 'string') return concat(head(3, BigInt(utf8(value).length)), utf8(value));
  if (value instanceof Uint8Array) return concat(head(2, BigInt(value.length)), value);
  return concat(head(4, BigInt(value.length)), ...value.map(encode));
}

function head(major: number, value: bigint): Uint8Array {
  if (value < 0n || value >= 1n << 64n) throw new Error('a number outside 64 bits');
  const kind = major << 5;
  if (value < 24n) return Uint8Array.of(kind | Number(value));
  const size = value < 1n << 8n ? 0 : value < 1n << 16n ? 1 : value < 1n << 32n ? 2 : 3;
  const bytes = new Uint8Array(1 + (1 << size));
  bytes[0] = kind | (24 + size);
  for (let i = bytes.length - 1, rest = value; i > 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}
