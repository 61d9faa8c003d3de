/** The account this browser signs for: public halves only. Makes it, prepares transactions for it, signs and sends them. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { Refused, get, post } from '../api/client';
import type { Schemas } from '../api/client';
import { decimal } from '../format/amounts';
import { keep, kept } from '../keep';
import { fromHex, toHex } from '../verify/bytes';
import { type Passkey, makePasskey, sign } from './passkey';
import { type Body, FEE_BOUND, type PublicKey, type Rule, type Signed, type Transaction, accountId, ruleOf, signedBytes, transactionBytes, transactionId, webhookMessage, witnessBytes } from './transactions';

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

/** The fee is the explorer's word; more than the bound is never signed for. */
export function feeMaxFor(fee: bigint): bigint {
  if (fee > FEE_BOUND) throw new Error(`the explorer asks a fee of ${decimal(fee, 6)} token; this page signs for ${decimal(FEE_BOUND, 6)} at most`);
  return fee * FEE_MAX_TIMES < FEE_BOUND ? fee * FEE_MAX_TIMES : FEE_BOUND;
}

export async function prepare(wallet: Wallet, body: Body, fees: Schemas['Fees'], sponsor?: string): Promise<Prepared> {
  const account = body.kind === 'open_account' ? undefined : await get('/v1/accounts/{id}', { params: { path: { id: wallet.account } } });
  const fee = BigInt(body.kind === 'open_account' ? fees.open_account : fees.base);
  const transaction: Transaction = { chain: wallet.chain, account: wallet.account, nonce: BigInt(account?.next_nonce ?? 1), feeMax: feeMaxFor(fee), body, ...(sponsor && { sponsor }) };
  const preview = await tried(transactionBytes(transaction));
  const refusal = preview.refusal ?? (account && shortage(account, body, BigInt(preview.fee)));
  return { transaction, preview: refusal ? { ...preview, accepted: false, refusal } : preview };
}

/** Tries a transaction: signed as the ledger would, unsigned only as far as it can be read. */
function tried(transaction: Uint8Array): Promise<Schemas['Preview']> {
  return post<Schemas['Preview']>('/v1/transactions/preview', { transaction: toHex(transaction) });
}

/** What the account lacks for this, beside its fee. */
function shortage(account: Schemas['Account'], body: Body, fee: bigint): Schemas['Error'] | undefined {
  const none = { token: 0n, stable: 0n, credits: 0n };
  const takes = { ...none, ...takenBy(body) };
  takes.token += fee;
  const lacks = (Object.keys(none) as (keyof typeof none)[]).find((asset) => BigInt(account[asset]) < takes[asset]);
  const word = { token: 'token', stable: 'stablecoin', credits: 'credits' };
  return lacks && { code: 'too_little', message: `the account has too little ${word[lacks]}`, hint: lacks === 'token' ? 'Its fee is paid in token too.' : lacks === 'credits' ? 'Buy credits in the wallet first.' : 'Take less.' };
}

function takenBy(body: Body): { token?: bigint; stable?: bigint; credits?: bigint } {
  switch (body.kind) {
    case 'transfer': return { [body.asset]: body.amount };
    case 'buy_credits': return { stable: body.stable };
    case 'burn_for_credits': return { token: body.tokens };
    case 'open_order': return { credits: body.hold };
    case 'open_account': return {};
  }
}

/** Whether the explorer read the same transaction as this page made. */
export function isSame({ transaction, preview }: Prepared): boolean {
  return toHex(transactionId(transaction)) === preview.id;
}

/** The recovery key's secret as it was written down; throws when it is another's. */
function recoverySecret(wallet: Wallet, written: string): Uint8Array {
  const text = written.replace(/\s/g, '').toLowerCase();
  const secret = /^[0-9a-f]{64}$/.test(text) ? fromHex(text) : undefined;
  if (!secret || toHex(ed25519.getPublicKey(secret)) !== wallet.recovery?.hex) throw new Error('this is not the recovery key of this account');
  return secret;
}

/**
 * As many keys sign as the rule wants, the recovery key among them where it is given; then the transaction is on its way. Returns
 * its id.
 */
export async function signAndSend(wallet: Wallet, { transaction }: Prepared, recovery?: string): Promise<string> {
  const id = transactionId(transaction);
  const signed = signedBytes(transaction, wallet.rule, await signaturesOver(wallet, id, recovery));
  const { refusal } = await tried(signed);
  if (refusal) throw new Refused(refusal, 422);
  await post('/v1/transactions', { transaction: toHex(signed) });
  return toHex(id);
}

/** Has an operator's alerts posted to an address, or to none any more; answers what the posts are signed with. */
export async function postAlerts(wallet: Wallet, url: string, now: string): Promise<string> {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const message = webhookMessage(wallet.chain, wallet.account, url, secret, Date.parse(now));
  const witness = toHex(witnessBytes(wallet.rule, await signaturesOver(wallet, message)));
  await post(`/v1/operators/${wallet.account}/webhooks`, { url, secret: toHex(secret), time: now, witness });
  return toHex(secret);
}

async function signaturesOver(wallet: Wallet, id: Uint8Array, recovery?: string): Promise<Signed[]> {
  const left = [...wallet.passkeys];
  const signatures: Signed[] = [];
  if (recovery) {
    const secret = recoverySecret(wallet, recovery);
    signatures.push({ index: wallet.rule.keys.findIndex((key) => key.hex === wallet.recovery?.hex), signature: ed25519.sign(id, secret) });
  }
  while (signatures.length < wallet.rule.threshold) {
    const { passkey, assertion } = await sign(left, id);
    left.splice(left.indexOf(passkey), 1);
    const { signature, ...rest } = assertion;
    signatures.push({ index: wallet.rule.keys.findIndex((key) => key.hex === passkey.key.hex), signature, assertion: rest });
  }
  return signatures;
}

/** A network that pays for opening accounts: one with an allowance above the fee. */
export async function findSponsor(fee: string): Promise<string | undefined> {
  const networks = await get('/v1/networks', { params: { query: { limit: 20 } } });
  return networks.items.find(({ closes, allowance }) => (closes === null || closes === undefined) && BigInt(allowance) >= BigInt(fee))?.id;
}
