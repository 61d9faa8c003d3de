/** The wallet's bytes against transactions that a real ledger took, and what devices sign. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toHex } from '../../src/verify/bytes';
import { encode } from '../../src/wallet/cbor';
import { compress, fixed, fromBase64Url, namedAddress, toBase64Url } from '../../src/wallet/passkey';
import { type PublicKey, type Transaction, accountId, ruleOf, signedBytes, transactionBytes, transactionId } from '../../src/wallet/transactions';
import real from '../fixtures/transactions.json';

const of = (kind: string) => real.find((one) => one.kind === kind)!;
const key = (hex: string): PublicKey => ({ kind: 'ed25519', hex });
const NETWORK = '4dc3e4d902f6decf51bfb1a0ed2dc9f2bd0c2fdf45b4a1e364a157ef649860b5';
const CUSTOMER = 'b13b2290357ad3a681759734cda9aea990a9c0144639f4f62ffe0cc99ba1b81b';
const PAYER = '4e15ad59e222cf78a142e367297ef889cea8fcf7bf8b20757a1fe223db16b3a4';

const cases: [string, Transaction, PublicKey][] = [
  ['account_opened', { chain: 'cairn-demo', account: '97353b5d47af681152ae38e2d09958030bbab78c87cf0914b0b0de2824776b3c', nonce: 1n, feeMax: 100_000_000n, sponsor: NETWORK, body: { kind: 'open_account' } }, key('0474520e8edb688f181706793376c61ca85a6bc4b121e79132e38fdff5135ec1')],
  ['credits_bought', { chain: 'cairn-demo', account: CUSTOMER, nonce: 1n, feeMax: 100_000_000n, body: { kind: 'buy_credits', stable: 2_000_000n } }, key(PAYER)],
  ['order_opened', { chain: 'cairn-demo', account: CUSTOMER, nonce: 3n, feeMax: 100_000_000n, body: { kind: 'open_order', shape: 'query', network: NETWORK, provider: 'e18d64c9bb5bed36ca7ca2599cd01866c6a18755c37fe8e76a8a8bef921d4640', terms: '6911fbe0d9b114ca554e9f1bac37c7c02ad9898ec1498177a00e9380a12ca265', hold: 1_752_400n, expires: 0x19e85d83680n, voucherKey: key(PAYER) } }, key(PAYER)],
];

describe('transactions', () => {
  test.each(cases)('%s has the bytes, the id and the signature that the ledger took', (kind, transaction, signer) => {
    const taken = of(kind);
    expect(toHex(transactionId(transaction))).toBe(taken.id);
    const signature = fromHex(taken.bytes.slice(-128));
    expect(ed25519.verify(signature, transactionId(transaction), fromHex(signer.hex))).toBe(true);
    expect(toHex(signedBytes(transaction, ruleOf(1, [signer]), [{ index: 0, signature }]))).toBe(taken.bytes);
  });

  test('an account is the hash of the rule that opens it', () => {
    expect(accountId(ruleOf(1, [cases[0]![2]]))).toBe(cases[0]![1].account);
  });

  test('keys of a rule stand in the order of kind and bytes', () => {
    const passkey: PublicKey = { kind: 'passkey', hex: '02'.repeat(33) };
    expect(ruleOf(2, [passkey, key('bb'.repeat(32)), key('aa'.repeat(32))]).keys).toEqual([key('aa'.repeat(32)), key('bb'.repeat(32)), passkey]);
  });

  test('lengths are the shortest', () => {
    expect(toHex(encode([0, 23, 24, 255, 256, 65_536, 2n ** 32n, null, 'a', Uint8Array.of(7)]))).toBe('8a0017181818ff1901001a000100001b0000000100000000f661614107');
    expect(() => encode(2n ** 64n)).toThrow();
    expect(transactionBytes(cases[1]![1]).length).toBeGreaterThan(40);
  });
});

describe('passkeys', () => {
  const secret = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
  const message = new TextEncoder().encode('what was signed');

  test('a DER signature becomes r and s with s low, and still holds', () => {
    for (let i = 0; i < 12; i++) {
      const said = concat(message, Uint8Array.of(i));
      const der = p256.sign(said, secret, { format: 'der', lowS: false });
      expect(p256.verify(fixed(der), said, p256.getPublicKey(secret), { lowS: true })).toBe(true);
    }
  });

  test.each([[''], ['3003020101'], ['30060201000201ff'], ['300602010102']])('%s is no signature', (hex) => {
    expect(() => fixed(fromHex(hex))).toThrow();
  });

  test('the point of a key is compressed', () => {
    const spki = concat(fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200'), p256.getPublicKey(secret, false));
    expect(toHex(compress(spki))).toBe(toHex(p256.getPublicKey(secret, true)));
    expect(() => compress(spki.slice(1, 40))).toThrow();
  });

  test('they belong to a name: a number leads to it', () => {
    expect(namedAddress({ hostname: '127.0.0.1', href: 'http://127.0.0.1:8643/wallet' })).toBe('http://localhost:8643/wallet');
    expect(namedAddress({ hostname: 'localhost', href: 'http://localhost:8643/wallet' })).toBeUndefined();
  });

  test('base64url survives', () => {
    const bytes = Uint8Array.from({ length: 70 }, (_, i) => (i * 37) & 255);
    expect(toHex(fromBase64Url(toBase64Url(bytes)))).toBe(toHex(bytes));
  });
});
