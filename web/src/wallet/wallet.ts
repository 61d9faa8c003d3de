/** The account this browser signs for: public halves only. Makes it or takes it up, prepares transactions for it, and sends them. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { Refused, get, post } from '../api/client';
import type { Schemas } from '../api/client';
import { decimal } from '../format/amounts';
import { keep, kept } from '../keep';
import { toHex } from '../verify/bytes';
import { type AccountFile, type TxFile, readAccount } from './file';
import { isSameKey, keyText, publicOf, ruleHash } from './keys';
import { type Passkey, makePasskey } from './passkey';
import { byPasskey } from './signing';
import { type Body, FEE_BOUND, type PublicKey, type Rule, type Signed, type Transaction, ruleOf, signedBytes, transactionId, webhookMessage, witnessBytes } from './transactions';

export interface Wallet {
  chain: string;
  account: string;
  /** The last one known to be in force. */
  rule: Rule;
  /** Those that were signed for since: the ledger knows which is in force. */
  next?: Rule[];
  /** Of this browser; some may not be in the rule. */
  passkeys: Passkey[];
  /** What keys are called here, by their text. */
  names?: Record<string, string>;
  /** A recovery key that was shown and not yet confirmed: nothing is opened before it is. */
  unconfirmed?: PublicKey;
}

const RULES_MAX = 4;
const CHANGED = 'the keys of this account were changed elsewhere: load the account’s file in the wallet';
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

/** What a key is called. */
export function nameOf({ passkeys, names = {} }: Wallet, key: PublicKey): string {
  const named = names[keyText(key)] ?? passkeys.find((passkey) => isSameKey(passkey.key, key))?.name;
  return named ?? (key.kind === 'passkey' ? 'A passkey elsewhere' : 'A key outside the browser');
}

export interface Made {
  wallet: Wallet;
  /** To be kept by the reader, shown once: the recovery key's secret. */
  recoverySecret?: string;
}

export function makeRecovery(): { secret: string; key: PublicKey } {
  const secret = ed25519.utils.randomSecretKey();
  return { secret: toHex(secret), key: publicOf(secret) };
}

/** One passkey that signs alone; or two passkeys and a recovery key, of which two must sign. */
export async function makeWallet(chain: string, form: 'single' | 'two-of-three'): Promise<Made> {
  const first = await makePasskey(chain, 'Passkey');
  if (form === 'single') {
    const rule = ruleOf(1, [first.key]);
    return { wallet: { chain, account: ruleHash(rule), rule, passkeys: [first] } };
  }
  const second = await makePasskey(chain, 'Second passkey');
  const { secret, key } = makeRecovery();
  const rule = ruleOf(2, [first.key, second.key, key]);
  return { wallet: { chain, account: ruleHash(rule), rule, passkeys: [first, second], names: { [keyText(key)]: 'Recovery key' }, unconfirmed: key }, recoverySecret: secret };
}

/** Notes a rule before the ledger hears of it: killed anywhere, this browser knows both. */
export function noteRule(wallet: Wallet, rule: Rule): Wallet {
  const others = (wallet.next ?? []).filter((one) => ruleHash(one) !== ruleHash(rule));
  const noted = { ...wallet, next: [...others, rule].slice(-RULES_MAX) };
  keepWallet(noted);
  return noted;
}

/** The wallet by the rule the ledger has in force; undefined where this browser does not know that one. */
export function settled(shown: Wallet, inForce: string): Wallet | undefined {
  const noted = walletOf(shown.chain);
  const wallet = noted?.account === shown.account ? noted : shown;
  if (ruleHash(wallet.rule) === inForce) return wallet;
  const rule = wallet.next?.find((one) => ruleHash(one) === inForce);
  if (!rule) return undefined;
  const { next: _, ...rest } = wallet;
  return { ...rest, rule, passkeys: wallet.passkeys.filter(({ key }) => rule.keys.some((one) => isSameKey(one, key))) };
}

/** Takes up an account that exists with passkeys of this browser: from a file of it, or by its id where one passkey signs alone. */
export async function takeUp(chain: string, passkeys: Passkey[], said: string): Promise<Wallet> {
  const id = said.trim();
  const alone: AccountFile = { chain, account: id, rules: passkeys.map(({ key }) => ruleOf(1, [key])), names: {} };
  const told = /^[0-9a-f]{64}$/.test(id) ? alone : readAccount(said);
  if (told.chain !== chain) throw new Error(`this is an account of the chain ${told.chain}`);
  const { rule: inForce } = await get('/v1/accounts/{id}', { params: { path: { id: told.account } } });
  const rule = told.rules.find((one) => ruleHash(one) === inForce);
  if (!rule) throw new Error(told === alone ? 'this browser’s passkey does not sign alone for it: add the passkey there first, or load the account’s file' : 'the ledger has other keys in force for it by now: save the account’s file again where it is signed for');
  if (!passkeys.some(({ key }) => rule.keys.some((one) => isSameKey(one, key)))) throw new Error('this browser’s passkey is not among its keys yet: add it where the account is signed for');
  return { chain, account: told.account, rule, passkeys, names: told.names };
}

/** A transaction tried on the explorer's index before anything is signed. */
export interface Prepared extends TxFile {
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
  const by = account ? settled(wallet, account.rule) : wallet;
  if (!by) throw new Error(CHANGED);
  const fee = BigInt(body.kind === 'open_account' ? fees.open_account : fees.base);
  const transaction: Transaction = { chain: wallet.chain, account: wallet.account, nonce: BigInt(account?.next_nonce ?? 1), feeMax: feeMaxFor(fee), body, ...(sponsor && { sponsor }) };
  return tryOut({ transaction, rule: by.rule, signatures: [] });
}

/** What the ledger would make of it. The explorer takes whoever is to sign as having signed: only that the rule is in force is looked at. */
export async function tryOut(file: TxFile): Promise<Prepared> {
  const nobody = { index: 0, signature: new Uint8Array(64) };
  return { ...file, preview: await tried(signedBytes(file.transaction, file.rule, [nobody])) };
}

function tried(signed: Uint8Array): Promise<Schemas['Preview']> {
  return post<Schemas['Preview']>('/v1/transactions/preview', { transaction: toHex(signed) });
}

/** Whether the explorer read the same transaction as this page made. */
export function isSame({ transaction, preview }: Prepared): boolean {
  return toHex(transactionId(transaction)) === preview.id;
}

/** Sends what as many keys have signed as the rule wants; answers its id. */
export async function send({ transaction, rule }: TxFile, signatures: Signed[]): Promise<string> {
  const signed = signedBytes(transaction, rule, signatures.slice(0, rule.threshold));
  const { refusal } = await tried(signed);
  if (refusal) throw new Refused(refusal, 422);
  await post('/v1/transactions', { transaction: toHex(signed) });
  return toHex(transactionId(transaction));
}

/** Has an operator's alerts posted to an address, or to none any more; answers what the posts are signed with. */
export async function postAlerts(wallet: Wallet, url: string, now: string): Promise<string> {
  const account = await get('/v1/accounts/{id}', { params: { path: { id: wallet.account } } });
  const rule = settled(wallet, account.rule)?.rule;
  if (!rule) throw new Error(CHANGED);
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const message = webhookMessage(wallet.chain, wallet.account, url, secret, Date.parse(now));
  const signatures: Signed[] = [];
  while (signatures.length < rule.threshold) signatures.push(await byPasskey(wallet.passkeys, rule, message, signatures));
  await post(`/v1/operators/${wallet.account}/webhooks`, { url, secret: toHex(secret), time: now, witness: toHex(witnessBytes(rule, signatures)) });
  return toHex(secret);
}

/** A network that pays for opening accounts: one with an allowance above the fee. */
export async function findSponsor(fee: string): Promise<string | undefined> {
  const networks = await get('/v1/networks', { params: { query: { limit: 20 } } });
  return networks.items.find(({ closes, allowance }) => (closes === null || closes === undefined) && BigInt(allowance) >= BigInt(fee))?.id;
}
