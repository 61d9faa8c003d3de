/** Reads the one byte form of what the ledger writes: CBOR with numbers, texts, bytes, nothing, yes and no, and lists of those. Bounded. */
import { Reader } from './bytes';

const DEPTH_MAX = 16;

/** Numbers come as bigint, nothing as null. Throws on whatever the ledger does not write. */
export function decode(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const value = read(reader, DEPTH_MAX);
  if (reader.left !== 0) throw new Error('more bytes than a value has');
  return value;
}

function read(reader: Reader, depth: number): unknown {
  if (depth === 0) throw new Error('lists too deep');
  const head = reader.take(1)[0]!;
  if (head === 0xf4 || head === 0xf5) return head === 0xf5;
  if (head === 0xf6) return null;
  const size = argument(reader, head & 31);
  switch (head >> 5) {
    case 0: return size;
    case 1: return -1n - size;
    case 2: return reader.take(length(size, reader));
    case 3: return new TextDecoder('utf-8', { fatal: true }).decode(reader.take(length(size, reader)));
    case 4: return Array.from({ length: length(size, reader) }, () => read(reader, depth - 1));
    default: throw new Error('not what the ledger writes');
  }
}

function argument(reader: Reader, short: number): bigint {
  if (short < 24) return BigInt(short);
  if (short > 27) throw new Error('not what the ledger writes');
  return reader.take(1 << (short - 24)).reduce((all, byte) => (all << 8n) | BigInt(byte), 0n);
}

/** Every item of a list has a byte at least: what is longer than what is left is refused before it is made. */
function length(size: bigint, reader: Reader): number {
  if (size > BigInt(reader.left)) throw new Error('too few bytes');
  return Number(size);
}
