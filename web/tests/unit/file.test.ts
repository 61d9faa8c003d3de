/** Files that wallets hand each other: read as `cairn tx` writes them, refused where anything of them is not as it was signed. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { expect, test } from 'vitest';
import { concat, fromHex, toHex, utf8 } from '../../src/verify/bytes';
import { readAccount, readTransaction, writeAccount, writeTransaction } from '../../src/wallet/file';
import { publicOf } from '../../src/wallet/keys';
import { fixed, toBase64Url } from '../../src/wallet/passkey';
import { bySecret, holds } from '../../src/wallet/signing';
import { type Signed, type Transaction, ruleOf, transactionBytes, transactionId } from '../../src/wallet/transactions';
import { transactionOf } from '../../src/wallet/decoded';
import written from '../fixtures/rotate.json';

const [one, two] = [fromHex('01'.repeat(32)), fromHex('02'.repeat(32))];
const passkey = { kind: 'passkey' as const, hex: toHex(p256.getPublicKey(two, true)) };
const rule = ruleOf(2, [publicOf(one), passkey]);
const transaction: Transaction = { chain: 'town', account: 'ab'.repeat(32), nonce: 7n, feeMax: 2_000n, body: { kind: 'transfer', to: 'cd'.repeat(32), asset: 'token', amount: 5n } };

/** What a browser gives for a passkey. */
function asserted(id: Uint8Array, flags = 5): Signed {
  const authenticatorData = concat(new Uint8Array(32), Uint8Array.of(flags, 0, 0, 0, 1));
  const clientData = utf8(`{"type":"webauthn.get","challenge":"${toBase64Url(id)}","origin":"http://localhost"}`);
  return { index: 1, signature: fixed(p256.sign(concat(authenticatorData, sha256(clientData)), two, { format: 'der' })), assertion: { authenticatorData, clientData } };
}

test('a change of keys that the command line wrote is read, and written again the same', () => {
  const file = readTransaction(JSON.stringify(written));
  expect(file.transaction.body.kind === 'rotate_keys' && file.transaction.body.rule.keys.map(({ kind }) => kind)).toEqual(['ed25519', 'ed25519', 'passkey']);
  expect(file.signatures).toHaveLength(1);
  expect(JSON.parse(writeTransaction(file))).toEqual(written);
});

test('signatures of both kinds go over and come back', () => {
  const id = transactionId(transaction);
  const signatures = [bySecret('01'.repeat(32), rule, id, []), asserted(id)];
  expect(readTransaction(writeTransaction({ transaction, rule, signatures }))).toEqual({ transaction, rule, signatures });
  expect(() => bySecret('01'.repeat(32), rule, id, signatures)).toThrow('not the recovery key');
});

test('what does not hold is refused', () => {
  const id = transactionId(transaction);
  expect(holds(passkey, id, asserted(id))).toBe(true);
  expect(holds(passkey, id, asserted(id, 1))).toBe(false);
  expect(holds(passkey, transactionId({ ...transaction, nonce: 8n }), asserted(id))).toBe(false);
  expect(holds({ ...passkey, kind: 'p256' }, id, asserted(id))).toBe(false);
  const text = writeTransaction({ transaction, rule, signatures: [bySecret('01'.repeat(32), rule, id, [])] });
  const read = JSON.parse(text) as Record<string, any>;
  const other = toHex(transactionBytes({ ...transaction, feeMax: 3_000n }));
  for (const changed of [
    { ...read, transaction: other }, { ...read, transaction: `${read.transaction}00` }, { ...read, transaction: 'zz' }, { ...read, transaction: 5 }, { ...read, form: 'cairn/transaction/2' }, { ...read, rule: { ...read.rule, threshold: 3 } },
    { ...read, signatures: { [Object.keys(read.signatures as object)[0]!]: '00'.repeat(64) } }, { ...read, signatures: { 'ed25519:00': '00' } }, { ...read, signatures: { [`passkey:${passkey.hex}`]: toHex(asserted(id).signature) } }, [], null,
  ]) expect(() => readTransaction(JSON.stringify(changed)), JSON.stringify(changed)).toThrow();
  for (let end = 0; end < text.length - 2; end += 7) expect(() => readTransaction(text.slice(0, end))).toThrow();
  expect(() => readTransaction(`${text}${' '.repeat(200_000)}`)).toThrow('too long');
});

test('bytes that say something else, or in another form, are no transaction', () => {
  const bytes = transactionBytes(transaction);
  expect(transactionOf(bytes)).toEqual(transaction);
  for (const body of [{ kind: 'open_account' }, { kind: 'rotate_keys', rule }, { kind: 'buy_credits', stable: 3n }, { kind: 'burn_for_credits', tokens: 4n, creditsMin: 2n }] as const) {
    const whole: Transaction = { ...transaction, sponsor: 'ef'.repeat(32), body };
    expect(transactionOf(transactionBytes(whole))).toEqual(whole);
  }
  // The amount's one byte written as two.
  const long = toHex(bytes).replace(/05$/, '1805');
  expect(() => transactionOf(fromHex(long))).toThrow('not in the form');
  const order: Transaction = { ...transaction, body: { kind: 'open_order', shape: 'query', network: 'aa'.repeat(32), provider: 'bb'.repeat(32), terms: 'cc'.repeat(32), hold: 1n, expires: 2n, voucherKey: publicOf(one) } };
  expect(() => transactionOf(transactionBytes(order))).toThrow('cannot say');
  expect(ed25519.verify(bySecret('01'.repeat(32), rule, transactionId(transaction), []).signature, transactionId(transaction), fromHex(publicOf(one).hex))).toBe(true);
});

test('an account is told to another device, from its own file or a transaction’s', () => {
  const told = { chain: 'town', account: 'ab'.repeat(32), rules: [rule], names: { [`passkey:${passkey.hex}`]: 'Phone' } };
  expect(readAccount(writeAccount(told))).toEqual(told);
  const { rules, account } = readAccount(JSON.stringify(written));
  expect([rules.length, account]).toEqual([2, readTransaction(JSON.stringify(written)).transaction.account]);
  expect(() => readAccount(writeAccount({ ...told, account: 'me' }))).toThrow('no file of an account');
  expect(readAccount(writeAccount({ ...told, names: { x: 'y', [`passkey:${passkey.hex}`]: '<b>'.repeat(40) } })).names).toEqual({ [`passkey:${passkey.hex}`]: '<b>'.repeat(40).slice(0, 40) });
});
