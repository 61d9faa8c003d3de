/**
 * Checks in the reader's browser that the state under a final header has a record: the same steps as `crates/engine/src/light.rs`.
 * The state is a log of operations in a tree of trees (a Merkle mountain range), in which at height 8 a bitmap says which of 256
 * operations are in force. Never says that a record is absent.
 *
 * ```text
 * operation ─▶ leaf ─▶ … ─▶ height 8, with the bitmap ─▶ … ─▶ peak ─▶ all peaks in one ─▶ with the log's root ─▶ state root
 * ```
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { Reader, concat, equal, fromHex, toHex, u64 } from './bytes';
import { type Anchor, NotFinal, verifyFinality } from './certificate';
import type { Header } from './header';
import { decode } from './decode';

const KEY_BYTES = 33;
const VALUE_BYTES = 256;
const UPDATE = 0xd2;
const CHUNK_BYTES = 32;
const CHUNK_HEIGHT = 8;
const DIGESTS_MAX = 256;
const PROOF_BYTES_MAX = 16 * 1024;
/** Which kind of tree, and in which order peaks are joined. */
const DOMAIN = Uint8Array.of(0, 1);

export interface Proven {
  header: Header;
  /** The record's fields, in the ledger's order. */
  record: unknown;
}

const hash = (...parts: Uint8Array[]) => sha256(concat(...parts));

/** What the state has under a key, by an answer of `/v1/proofs/{key}`; throws when that does not follow from the validators' key. */
export function verifyRecord(anchor: Anchor, key: string, answer: string): Proven {
  const [finality, value, proof] = decode(fromHex(answer)) as [[Uint8Array[], Uint8Array], Uint8Array | null, Uint8Array];
  if (value === null) throw new NotFinal('the state has no such record');
  const [headers, certificate] = finality;
  const header = verifyFinality(anchor, headers.map(toHex), toHex(certificate));
  if (value.length !== VALUE_BYTES || proof.length > PROOF_BYTES_MAX) throw new NotFinal('the proof is malformed');
  if (toHex(rootOf(fromHex(key), value, proof)) !== header.stateRoot) throw new NotFinal('the proof does not lead to the state’s root');
  return { header, record: decode(unpad(value)) };
}

/** A record is preceded by its length and followed by zeros. */
function unpad(value: Uint8Array): Uint8Array {
  const length = (value[0]! << 8) | value[1]!;
  if (length > VALUE_BYTES - 2) throw new NotFinal('the record is malformed');
  return value.slice(2, 2 + length);
}

/** The root of the state in which this proof shows the record in force. */
function rootOf(key: Uint8Array, value: Uint8Array, proof: Uint8Array): Uint8Array {
  const reader = new Reader(proof);
  const at = reader.varint();
  const chunk = reader.take(CHUNK_BYTES);
  const leaves = reader.varint();
  const inactive = Number(reader.varint());
  const count = Number(reader.varint());
  if (count > DIGESTS_MAX) throw new NotFinal('the proof is malformed');
  const digests = Array.from({ length: count }, () => reader.take(32));
  const partial = reader.take(1)[0] === 1 ? reader.take(32) : undefined;
  const log = reader.take(32);
  const next = reader.take(KEY_BYTES);
  if (reader.left !== 0 || at >= leaves || leaves >= 1n << 62n) throw new NotFinal('the proof is malformed');
  const bit = Number(at & 255n);
  if ((chunk[bit >> 3]! & (1 << (bit & 7))) === 0) throw new NotFinal('the record is not in force any more');
  const open = leaves & 255n;
  if ((open !== 0n) !== (partial !== undefined)) throw new NotFinal('the proof is malformed');
  if (partial && at >> 8n === leaves >> 8n && !equal(partial, sha256(chunk))) throw new NotFinal('the proof is malformed');
  const tree = treeRoot({ at, leaves, inactive, chunk, digests, leaf: concat(Uint8Array.of(UPDATE), key, value, next) });
  return partial ? hash(log, tree, u64(open), partial) : hash(log, tree);
}

interface Tree {
  at: bigint;
  leaves: bigint;
  inactive: number;
  chunk: Uint8Array;
  digests: Uint8Array[];
  leaf: Uint8Array;
}

interface Peak {
  /** Of its root, counted in the order in which nodes come to be. */
  position: bigint;
  height: number;
  start: bigint;
}

/** The perfect trees that as many leaves stand in, the highest first. */
function peaksOf(leaves: bigint): Peak[] {
  const peaks: Peak[] = [];
  let [start, nodes] = [0n, 0n];
  for (let height = 62; height >= 0; height--) {
    const size = 1n << BigInt(height);
    if ((leaves & size) === 0n) continue;
    nodes += 2n * size - 1n;
    peaks.push({ position: nodes - 1n, height, start });
    start += size;
  }
  return peaks;
}

function treeRoot({ at, leaves, inactive, chunk, digests, leaf }: Tree): Uint8Array {
  const peaks = peaksOf(leaves);
  const mine = peaks.findIndex((peak) => at < peak.start + (1n << BigInt(peak.height)));
  const after = peaks.length - mine - 1;
  if (inactive > peaks.length) throw new NotFinal('the proof is malformed');
  // What comes before: those no longer in force as one, the others singly; after: those no longer in force singly, the others as one.
  const folded = Math.min(inactive, mine);
  const singly = Math.min(Math.max(0, inactive - mine - 1), after);
  let used = 0;
  const take = () => digests[used++] ?? missing();
  const before = Array.from({ length: (folded > 0 ? 1 : 0) + mine - folded }, take);
  const later = Array.from({ length: singly + (after > singly ? 1 : 0) }, take);
  const climb = ({ position, height, start }: Peak): Uint8Array => {
    if (height === 0) return hash(u64(position), leaf);
    const half = 1n << BigInt(height - 1);
    const left: Peak = { position: position - 2n * half, height: height - 1, start };
    const right: Peak = { position: position - 1n, height: height - 1, start: start + half };
    const children = at < right.start ? [climb(left), take()] : [take(), climb(right)];
    const node = hash(u64(position), ...children);
    return height === CHUNK_HEIGHT && chunk.some((byte) => byte !== 0) ? hash(chunk, node) : node;
  };
  const all = [...before, climb(peaks[mine]!), ...later];
  if (used !== digests.length) throw new NotFinal('the proof is malformed');
  return joined(leaves, inactive, folded > 0 ? inactive - folded + 1 : inactive, all);
}

/** Peaks no longer in force are joined from the first on, the others from the last on. */
function joined(leaves: bigint, inactive: number, fold: number, peaks: Uint8Array[]): Uint8Array {
  const first = Math.max(1, fold);
  const old = peaks.slice(0, first).reduce((all, peak) => hash(all, peak));
  const rest = peaks.slice(first);
  const root = rest.length === 0 ? old : hash(old, rest.reduceRight((all, peak) => hash(peak, all)));
  return inactive === 0 ? hash(DOMAIN, u64(leaves), root) : hash(DOMAIN, u64(leaves), u64(inactive), root);
}

function missing(): never {
  throw new NotFinal('the proof is malformed');
}
