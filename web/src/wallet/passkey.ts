/**
 * Passkeys (WebAuthn, P-256): the secret stays in the device behind its own screen lock; the page only sees the public key
 * and signatures. What is signed is never the id itself but the authenticator's data and the hash of the browser's, which
 * holds the id as its challenge.
 */
import { concat, toHex } from '../verify/bytes';
import type { PublicKey } from './transactions';

export interface Passkey {
  /** Base64url, as the browser names it. */
  credential: string;
  key: PublicKey;
  name: string;
}

export interface Assertion {
  signature: Uint8Array;
  authenticatorData: Uint8Array;
  clientData: Uint8Array;
}

const ES256 = -7;
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

export function canMake(): boolean {
  return typeof PublicKeyCredential !== 'undefined' && window.isSecureContext;
}

/** Passkeys belong to a name, not to a number: this page's address under the name of this computer, where it has a number. */
export function namedAddress({ hostname, href }: { hostname: string; href: string }): string | undefined {
  const loopback = hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  return loopback ? href.replace(hostname, 'localhost') : undefined;
}

/** Asks the device for a new passkey. */
export async function makePasskey(chain: string, name: string): Promise<Passkey> {
  const made = (await navigator.credentials.create({
    publicKey: {
      rp: { name: 'Cairn' },
      user: { id: crypto.getRandomValues(new Uint8Array(16)), name: `${name} on ${chain}`, displayName: name },
      challenge: crypto.getRandomValues(new Uint8Array(32)),
      pubKeyCredParams: [{ type: 'public-key', alg: ES256 }],
      authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
      attestation: 'none',
    },
  })) as PublicKeyCredential | null;
  const spki = (made?.response as AuthenticatorAttestationResponse | undefined)?.getPublicKey();
  if (!made || !spki) throw new Error('this browser gave no P-256 key');
  return { credential: toBase64Url(new Uint8Array(made.rawId)), key: { kind: 'passkey', hex: toHex(compress(new Uint8Array(spki))) }, name };
}

/** Signs 32 bytes with one of these passkeys, whichever the device has; says which. */
export async function sign(passkeys: Passkey[], message: Uint8Array): Promise<{ passkey: Passkey; assertion: Assertion }> {
  const given = (await navigator.credentials.get({
    publicKey: {
      challenge: Uint8Array.from(message),
      allowCredentials: passkeys.map(({ credential }) => ({ type: 'public-key', id: fromBase64Url(credential) })),
      userVerification: 'required',
    },
  })) as PublicKeyCredential | null;
  const passkey = given && passkeys.find(({ credential }) => credential === toBase64Url(new Uint8Array(given.rawId)));
  if (!given || !passkey) throw new Error('no passkey of this account signed');
  const response = given.response as AuthenticatorAssertionResponse;
  return {
    passkey,
    assertion: {
      signature: fixed(new Uint8Array(response.signature)),
      authenticatorData: new Uint8Array(response.authenticatorData),
      clientData: new Uint8Array(response.clientDataJSON),
    },
  };
}

/** The last 65 bytes of a P-256 SubjectPublicKeyInfo are the point; its x and the parity of y name it. */
export function compress(spki: Uint8Array): Uint8Array {
  const point = spki.slice(-65);
  if (spki.length < 65 || point[0] !== 4) throw new Error('not a P-256 key');
  return concat(Uint8Array.of(2 + (point[64]! & 1)), point.slice(1, 33));
}

/** A DER signature as r and s of 32 bytes each, s in the lower half. */
export function fixed(der: Uint8Array): Uint8Array {
  if (der[0] !== 0x30 || der[1] !== der.length - 2) throw new Error('not a signature');
  const rLength = der[3]!;
  const r = integer(der, 2, rLength);
  const s = integer(der, 4 + rLength, der[5 + rLength]!);
  return concat(wide(r), wide(s > ORDER / 2n ? ORDER - s : s));
}

function integer(der: Uint8Array, at: number, length: number): bigint {
  if (der[at] !== 2 || length === 0 || at + 2 + length > der.length) throw new Error('not a signature');
  const value = BigInt(`0x${toHex(der.slice(at + 2, at + 2 + length))}`);
  if (value <= 0n || value >= ORDER) throw new Error('not a signature');
  return value;
}

function wide(value: bigint): Uint8Array {
  return Uint8Array.from(value.toString(16).padStart(64, '0').match(/../g)!, (byte) => Number.parseInt(byte, 16));
}

export function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
}
