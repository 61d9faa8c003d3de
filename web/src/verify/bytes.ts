/** Bytes as the chain writes them: hexadecimal, varints, and hashes with a domain. Never trusts a length it was given. */
import { sha256 } from '@noble/hashes/sha2.js';

const TEXT = new TextEncoder();

export function utf8(text: string): Uint8Array {
  return TEXT.encode(text);
}

export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) throw new Error('not hexadecimal');
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Eight big-endian bytes. */
export function u64(value: number | bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

/** SHA-256 of a domain and parts, each preceded by its length: `cairn_types::hash::domain`. */
export function domainHash(domain: string, parts: Uint8Array[]): Uint8Array {
  const hasher = sha256.create();
  for (const part of [utf8(domain), ...parts]) {
    hasher.update(u64(part.length));
    hasher.update(part);
  }
  return hasher.digest();
}

/** A little-endian base-128 number in its shortest form, as it is written in certificates. */
export function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** Reads off the front; every read past the end throws. */
export class Reader {
  private at = 0;
  constructor(private readonly bytes: Uint8Array) {}

  take(count: number): Uint8Array {
    if (this.at + count > this.bytes.length) throw new Error('too few bytes');
    this.at += count;
    return this.bytes.slice(this.at - count, this.at);
  }

  u64(): bigint {
    return new DataView(this.take(8).buffer).getBigUint64(0);
  }

  u32(): number {
    return new DataView(this.take(4).buffer).getUint32(0);
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 64n; shift += 7n) {
      const byte = this.take(1)[0]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0n) throw new Error('a number in another than its shortest form');
        return value;
      }
    }
    throw new Error('a number above 64 bits');
  }

  get left(): number {
    return this.bytes.length - this.at;
  }
}
