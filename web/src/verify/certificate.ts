/**
 * Checks in the reader's browser that a block is final: the validators' threshold signature (BLS12-381, signatures in G1)
 * over the proposal that names the block's digest. The same steps as `crates/engine/src/light.rs`; believes nothing else.
 *
 * ```text
 * group key ─▶ certificate ─▶ digest of the last header ◀─ parent ─ … ◀─ parent ─ this block's header
 * certificate = epoch varint │ view varint │ parent view varint │ digest 32 │ vote signature 48 │ seed signature 48
 * ```
 */
import { bls12_381 } from '@noble/curves/bls12-381.js';
import { Reader, concat, fromHex, toHex, utf8, varint } from './bytes';
import { type Header, decodeHeader, headerDigest } from './header';

const SIGNED_AS = 'BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_';
const CERTIFICATE_BYTES_MAX = 256;
/** As many as the explorer gives (`crates/explorer/src/api/blocks.rs`). */
const HEADERS_MAX = 256;

export interface Anchor {
  chain: string;
  group_key: string;
  genesis: string;
  era: number;
}

export class NotFinal extends Error {}

/** The digest that the validators finalized; throws when the certificate is not theirs. */
export function verifyCertificate(chain: string, groupKey: string, certificate: string): string {
  const bytes = fromHex(certificate);
  if (bytes.length > CERTIFICATE_BYTES_MAX) throw new NotFinal('the certificate is malformed');
  const reader = new Reader(bytes);
  const round = concat(varint(reader.varint()), varint(reader.varint()));
  const parent = varint(reader.varint());
  const digest = reader.take(32);
  const vote = reader.take(48);
  const seed = reader.take(48);
  if (reader.left !== 0) throw new NotFinal('the certificate is malformed');
  const holds =
    signed(groupKey, `${chain}_FINALIZE`, concat(round, parent, digest), vote) &&
    signed(groupKey, `${chain}_SEED`, round, seed);
  if (!holds) throw new NotFinal('the certificate is not signed by this group key for this chain');
  return toHex(digest);
}

function signed(groupKey: string, namespace: string, message: Uint8Array, signature: Uint8Array): boolean {
  const { shortSignatures: bls } = bls12_381;
  const space = utf8(namespace);
  const all = concat(varint(BigInt(space.length)), space, message);
  try {
    return bls.verify(signature, bls.hash(all, SIGNED_AS), fromHex(groupKey));
  } catch {
    return false;
  }
}

/** Checks that the first of these headers is final, and returns it. */
export function verifyFinality(anchor: Anchor, headers: string[], certificate: string): Header {
  if (headers.length === 0 || headers.length > HEADERS_MAX) throw new NotFinal('no headers lead to the certificate');
  const decoded = headers.map(decodeHeader);
  if (decoded.some((header) => header.genesis !== anchor.genesis || header.era !== anchor.era)) {
    throw new NotFinal('the header belongs to another genesis or era');
  }
  const digests = headers.map(headerDigest);
  decoded.slice(1).forEach((after, i) => {
    if (after.parent !== digests[i] || after.height !== decoded[i]!.height + 1n) {
      throw new NotFinal('a header does not name the one before it as its parent');
    }
  });
  if (verifyCertificate(anchor.chain, anchor.group_key, certificate) !== digests[digests.length - 1]) {
    throw new NotFinal('the certificate finalizes another header');
  }
  return decoded[0]!;
}
