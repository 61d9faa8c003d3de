/** One signature at a time: by a passkey, or by a recovery key that is typed in and not kept; and whether one holds. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concat, fromHex, utf8 } from '../verify/bytes';
import { isSameKey, secretOf } from './keys';
import { type Passkey, sign, toBase64Url } from './passkey';
import type { PublicKey, Rule, Signed } from './transactions';

/** Present and verified: the device's screen lock was used. */
const FLAGS = 5;
const ID_LETTERS = 43;

/** The keys of a rule that have not signed. */
export function missing(rule: Rule, signatures: Signed[]): PublicKey[] {
  return rule.keys.filter((_, index) => !signatures.some((signed) => signed.index === index));
}

/** By whichever of these passkeys the device has, of those that may still sign. */
export async function byPasskey(passkeys: Passkey[], rule: Rule, id: Uint8Array, signatures: Signed[]): Promise<Signed> {
  const left = missing(rule, signatures);
  const { passkey, assertion } = await sign(passkeys.filter(({ key }) => left.some((one) => isSameKey(one, key))), id);
  const { signature, authenticatorData, clientData } = assertion;
  return { index: rule.keys.findIndex((key) => isSameKey(key, passkey.key)), signature, assertion: { authenticatorData, clientData } };
}

/** By the secret of a key that may still sign, as it was written down; throws when it is another's. */
export function bySecret(written: string, rule: Rule, id: Uint8Array, signatures: Signed[]): Signed {
  const left = missing(rule, signatures);
  let index = -1;
  const secret = secretOf(written, (key) => {
    if (!left.some((one) => isSameKey(one, key))) return false;
    index = rule.keys.findIndex((one) => isSameKey(one, key));
    return true;
  });
  if (!secret) throw new Error('this is not the recovery key of this account');
  return { index, signature: ed25519.sign(id, secret) };
}

/** Whether a signature is a key's over an id, as the ledger checks it. */
export function holds(key: PublicKey, id: Uint8Array, { signature, assertion }: Signed): boolean {
  if (signature.length !== 64 || (key.kind === 'passkey') !== (assertion !== undefined)) return false;
  try {
    const point = fromHex(key.hex);
    if (key.kind === 'ed25519') return ed25519.verify(signature, id, point);
    if (!assertion) return p256.verify(signature, id, point, { lowS: false });
    const { authenticatorData, clientData } = assertion;
    const begin = utf8(`{"type":"webauthn.get","challenge":"${toBase64Url(id)}"`);
    const isOver = toBase64Url(id).length === ID_LETTERS && begin.every((byte, at) => clientData[at] === byte) && [0x2c, 0x7d].includes(clientData[begin.length] ?? 0);
    return isOver && ((authenticatorData[32] ?? 0) & FLAGS) === FLAGS && p256.verify(signature, concat(authenticatorData, sha256(clientData)), point, { lowS: true });
  } catch {
    return false;
  }
}
