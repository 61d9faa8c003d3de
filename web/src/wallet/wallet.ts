/** The account this browser signs for: public halves only. Makes it, prepares transactions for it, signs and sends them. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { get, post } from '../api/client';
import type { Schemas } from '../api/client';
import { keep, kept } from '../keep';
import { toHex } from '../verify/bytes';
import { type Passkey, makePasskey, sign } from './passkey';
import { type Body, type PublicKey, type Rule, type Signed, type Transaction, accountId, ruleOf, signedBytes, transactionBytes, transactionId } from './transactions';

export interface Wallet {
  chain: string;
  account: string;
  rule: Rule;
  passkeys: Passkey[];
  /** The public half of the recovery key; its secret was shown once and is not here. */
  recovery?: PublicKey;
}

export interface Made {
  wallet: Wallet;
  /** To be kept by the reader, shown once: the recovery key's secret. */
  recoverySecret?: string;
}

const name = (chain: string) => `wallet.${chain}`;

export function walletOf(chain: string): Wallet | undefined {
  return kept<Wallet>(name(chain));
}

export function keepWallet(wallet: Wallet): void {
  keep(name(wallet.chain), wallet);
}

export function forgetWallet(chain: string): void {
  keep(name(chain), undefined);
}

/** One passkey that signs alone; or two passkeys and a recovery key, of which two must sign. */
export async function makeWallet(chain: string, form: 'single' | 'two-of-three'): Promise<Made> {
  const first = await makePasskey(chain, 'Passkey');
  if (form === 'single') {
    const rule = ruleOf(1, [first.key]);
    return { wallet: { chain, account: accountId(rule), rule, passkeys: [first] } };
  }
  const second = await makePasskey(chain, 'Second passkey');
  const secret = ed25519.utils.randomSecretKey();
  const recovery: PublicKey = { kind: 'ed25519', hex: toHex(ed25519.getPublicKey(secret)) };
  const rule = ruleOf(2, [first.key, second.key, recovery]);
  return { wallet: { chain, account: accountId(rule), rule, passkeys: [first, second], recovery }, recoverySecret: toHex(secret) };
}

/** A transaction tried on the explorer's index before anything is signed. */
export interface Prepared {
  transaction: Transaction;
  preview: Schemas['Preview'];
}

const FEE_MAX_TIMES = 2n;

export async function prepare(wallet: Wallet, body: Body, fees: Schemas['Fees'], sponsor?: string): Promise<Prepared> {
  const nonce = body.kind === 'open_account' ? 1n : BigInt((await get('/v1/accounts/{id}', { params: { path: { id: wallet.account } } })).next_nonce ?? 1);
  const fee = BigInt(body.kind === 'open_account' ? fees.open_account : fees.base);
  const transaction: Transaction = { chain: wallet.chain, account: wallet.account, nonce, feeMax: fee * FEE_MAX_TIMES, body, ...(sponsor && { sponsor }) };
  const preview = await post<Schemas['Preview']>('/v1/transactions/preview', { transaction: toHex(transactionBytes(transaction)) });
  return { transaction, preview };
}

/** Whether the explorer read the same transaction as this page made. */
export function isSame({ transaction, preview }: Prepared): boolean {
  return toHex(transactionId(transaction)) === preview.id;
}

/** As many passkeys sign as the rule wants; then the transaction is on its way. Returns its id. */
export async function signAndSend(wallet: Wallet, { transaction }: Prepared): Promise<string> {
  const id = transactionId(transaction);
  const left = [...wallet.passkeys];
  const signatures: Signed[] = [];
  while (signatures.length < wallet.rule.threshold) {
    const { passkey, assertion } = await sign(left, id);
    left.splice(left.indexOf(passkey), 1);
    const { signature, ...rest } = assertion;
    signatures.push({ index: wallet.rule.keys.findIndex((key) => key.hex === passkey.key.hex), signature, assertion: rest });
  }
  await post('/v1/transactions', { transaction: toHex(signedBytes(transaction, wallet.rule, signatures)) });
  return toHex(id);
}

/** A network that pays for opening accounts: one with an allowance above the fee. */
export async function findSponsor(fee: string): Promise<string | undefined> {
  const networks = await get('/v1/networks', { params: { query: { limit: 20 } } });
  return networks.items.find(({ closes, allowance }) => (closes === null || closes === undefined) && BigInt(allowance) >= BigInt(fee))?.id;
}
