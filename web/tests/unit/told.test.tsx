/**
 * What is shown before a signature is what is signed, whatever the explorer says of it.
 * @vitest-environment happy-dom
 */
import { cleanup, render, screen } from '@testing-library/preact';
import { afterEach, expect, test } from 'vitest';
import { Pairs } from '../../src/ui/table';
import { Review } from '../../src/wallet/review';
import { told } from '../../src/wallet/told';
import { type Body, FEE_BOUND, FEE_USUAL, type Transaction, transactionId } from '../../src/wallet/transactions';
import { toHex } from '../../src/verify/bytes';
import { type Prepared, type Wallet, feeMaxFor } from '../../src/wallet/wallet';

afterEach(cleanup);
const id = (byte: string) => byte.repeat(32);
const of = (body: Body, sponsor?: string): Transaction => ({ chain: 'town', account: id('aa'), nonce: 3n, feeMax: 4_000n, body, ...(sponsor && { sponsor }) });
const RULE = { threshold: 1, keys: [{ kind: 'passkey' as const, hex: `02${'11'.repeat(32)}` }] };
const key = { kind: 'ed25519' as const, hex: id('01') };

test.each<[string, Body, string[]]>([
  ['a transfer', { kind: 'transfer', to: id('bb'), asset: 'token', amount: 1_500_000n }, ['1.5', id('bb')]],
  ['a transfer of stablecoin', { kind: 'transfer', to: id('bb'), asset: 'stable', amount: 2_000_001n }, ['2.000001 dollars', id('bb')]],
  ['a purchase', { kind: 'buy_credits', stable: 7_000_000n }, ['7 dollars']],
  ['a burn', { kind: 'burn_for_credits', tokens: 9_000_000n, creditsMin: 30_000n }, ['9', '$0.03']],
  ['an order', { kind: 'open_order', shape: 'query', network: id('cc'), provider: id('dd'), terms: id('ee'), hold: 250_000n, expires: 1_780_000_000_000n, voucherKey: key }, ['$0.25', id('cc'), id('dd'), '2026']],
  ['a key', { kind: 'open_order', shape: 'key', network: id('cc'), provider: id('dd'), terms: id('ee'), hold: 5_000_000n, expires: 1_780_000_000_000n, voucherKey: key }, ['$5.00', 'a key that programs pay with', id('cc'), id('dd'), '2026']],
])('%s is told with amounts, to whom, by whom and where', (_, body, words) => {
  const { container } = render(<Pairs items={told(of(body, id('ff')))} />);
  for (const word of [...words, id('aa'), 'town', '0.004', id('ff')]) expect(container.textContent).toContain(word);
});

test('an explorer that tells another story does not change what is shown', () => {
  HTMLDialogElement.prototype.showModal ??= () => undefined;
  const transaction = of({ kind: 'transfer', to: id('bb'), asset: 'token', amount: 5_000_000n });
  const preview = { id: toHex(transactionId(transaction)), sentence: 'sends 1 token to a friend', fee: '1000', accepted: true, events: [], refusal: null } as unknown as Prepared['preview'];
  const wallet = { chain: 'town', account: id('aa'), rule: RULE, passkeys: [] } as Wallet;
  const { container } = render(<Review wallet={wallet} prepared={{ transaction, preview, rule: RULE, signatures: [] }} onDone={() => undefined} onCancel={() => undefined} />);
  expect(container.querySelector('.pairs')!.textContent).toContain(id('bb'));
  expect(container.querySelector('.pairs')!.textContent).toContain('5');
  expect(container.querySelector('.pairs')!.textContent).not.toContain('friend');
  expect(screen.getByText(/The explorer reads it as: Sends 1 token to a friend/)).toBeTruthy();
});

test('a fee that an explorer made up is bounded, told, and beyond the bound not signed for', () => {
  expect(feeMaxFor(1_000n)).toBe(2_000n);
  expect(feeMaxFor(FEE_BOUND - 1n)).toBe(FEE_BOUND);
  expect(() => feeMaxFor(FEE_BOUND + 1n)).toThrow('a fee of 10.000001 token');
  const body: Body = { kind: 'transfer', to: id('bb'), asset: 'token', amount: 1n };
  const fee = (feeMax: bigint) => render(<Pairs items={told({ ...of(body), feeMax })} />).container.querySelector('.unusual')?.textContent;
  expect(fee(FEE_USUAL)).toBeUndefined();
  expect(fee(FEE_USUAL + 1n)).toContain('far more than');
  expect(fee(FEE_BOUND + 1n)).toContain('more than this page signs for');
});

test('whoever made it, a transaction whose fee is beyond the bound cannot be signed', () => {
  HTMLDialogElement.prototype.showModal ??= () => undefined;
  const transaction = { ...of({ kind: 'open_account' }), feeMax: FEE_BOUND + 1n };
  const preview = { id: toHex(transactionId(transaction)), sentence: 'opens it', fee: '1000', accepted: true, events: [], refusal: null } as unknown as Prepared['preview'];
  const wallet = { chain: 'town', account: id('aa'), rule: RULE, passkeys: [] } as Wallet;
  render(<Review wallet={wallet} prepared={{ transaction, preview, rule: RULE, signatures: [] }} onDone={() => undefined} onCancel={() => undefined} />);
  expect(screen.getByRole('alert', { hidden: true }).textContent).toContain('beyond what this page signs for');
  expect(screen.getByRole('button', { name: 'Sign with your passkey', hidden: true }).hasAttribute('disabled')).toBe(true);
});
