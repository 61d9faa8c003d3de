/**
 * The header of a block: 409 bytes in one fixed form, whose hash the validators sign (`crates/engine/src/header.rs`).
 * Only what a page shows or checks is named; every byte is hashed.
 */
import { Reader, domainHash, fromHex, toHex } from './bytes';

export const HEADER_BYTES = 409;
const FORM = 3;
const SEED_BYTES = 48;

export interface Header {
  era: number;
  base: bigint;
  genesis: string;
  height: bigint;
  timeMs: bigint;
  parent: string;
  epoch: bigint;
  view: bigint;
  leader: string;
  stateRoot: string;
  txRoot: string;
  receiptRoot: string;
  txs: number;
  /** What follows from the seed in it; null in the first block of an epoch of consensus, which has none. */
  beacon: string | null;
}

export function decodeHeader(hex: string): Header {
  const bytes = fromHex(hex);
  if (bytes.length !== HEADER_BYTES) throw new Error(`a header has ${HEADER_BYTES} bytes, not ${bytes.length}`);
  const reader = new Reader(bytes);
  const form = reader.take(1)[0];
  if (form !== FORM) throw new Error(`header form ${form} is unknown`);
  const id = () => toHex(reader.take(32));
  const era = reader.u32();
  const base = reader.u64();
  const genesis = id();
  const height = reader.u64();
  const timeMs = reader.u64();
  const parent = id();
  const epoch = reader.u64();
  const view = reader.u64();
  reader.u64(); // the parent's view
  const leader = id();
  const stateRoot = id();
  reader.take(32 + 8 + 8); // the log of operations: for joining nodes
  const txRoot = id();
  const receiptRoot = id();
  const txs = reader.u32();
  const seed = reader.take(SEED_BYTES);
  const beacon = seed.some((byte) => byte !== 0) ? toHex(domainHash('cairn/beacon/1', [seed])) : null;
  return { era, base, genesis, height, timeMs, parent, epoch, view, leader, stateRoot, txRoot, receiptRoot, txs, beacon };
}

/** What certificates sign and children name. */
export function headerDigest(hex: string): string {
  return toHex(domainHash('cairn/header/3', [fromHex(hex)]));
}
