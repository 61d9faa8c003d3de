/** Transactions as the ledger reads them (`crates/ledger/src/tx`): their bytes, their id, and who may sign. */
import { concat, domainHash, fromHex, toHex, utf8 } from '../verify/bytes';
import { type Value, encode } from './cbor';

export type PublicKey = { kind: 'ed25519' | 'p256' | 'passkey'; hex: string };
/** As the ledger numbers them; keys sort by it. */
export const KINDS = { ed25519: 0, p256: 1, passkey: 2 } as const;
/** What an order is for (`crates/gateway`). */
const SHAPES = { query: 0, key: 5 } as const;

export interface Rule {
  threshold: number;
  keys: PublicKey[];
}

/** What the wallet can ask for. */
export type Body =
  | { kind: 'open_account' }
  | { kind: 'rotate_keys'; rule: Rule }
  | { kind: 'transfer'; to: string; asset: 'token' | 'stable'; amount: bigint }
  | { kind: 'buy_credits'; stable: bigint }
  | { kind: 'burn_for_credits'; tokens: bigint; creditsMin: bigint }
  | { kind: 'open_order'; shape: 'query' | 'key'; network: string; provider: string; terms: string; hold: bigint; expires: bigint; voucherKey: PublicKey };

export interface Transaction {
  chain: string;
  account: string;
  nonce: bigint;
  feeMax: bigint;
  /** A network that pays the fee out of its allowance. */
  sponsor?: string;
  body: Body;
}

/** In base units, whatever decimals the explorer names: 10 token of six decimals. What this page signs costs a thousandth of it. */
export const FEE_BOUND = 10_000_000n;
/** Above it a fee is shown as unusual: 0.1 token of six decimals, of which opening an account takes a quarter. */
export const FEE_USUAL = 100_000n;

/** A signature by the key at an index; a passkey's comes with what it signed. */
export interface Signed {
  index: number;
  signature: Uint8Array;
  assertion?: { authenticatorData: Uint8Array; clientData: Uint8Array };
}

const key = ({ kind, hex }: PublicKey): Value => [KINDS[kind], [fromHex(hex)]];
const rule = ({ threshold, keys }: Rule): Value => [threshold, keys.map(key)];

function body(of: Body): Value {
  switch (of.kind) {
    case 'open_account': return [0, [[]]];
    case 'rotate_keys': return [1, [[rule(of.rule)]]];
    case 'transfer': return [3, [[fromHex(of.to), [of.asset === 'token' ? 0 : 1, [of.amount]]]]];
    case 'buy_credits': return [12, [[[0, [of.stable]]]]];
    case 'burn_for_credits': return [12, [[[1, [of.tokens, of.creditsMin]]]]];
    case 'open_order': return [60, [[fromHex(of.network), fromHex(of.provider), SHAPES[of.shape], fromHex(of.terms), of.hold, of.expires, key(of.voucherKey)]]];
  }
}

/** The bytes whose hash is signed. */
export function transactionBytes(of: Transaction): Uint8Array {
  const sponsor: Value = of.sponsor === undefined ? null : [1, [fromHex(of.sponsor)]];
  return encode([of.chain, fromHex(of.account), of.nonce, of.feeMax, sponsor, body(of.body)]);
}

/** What is signed, and the transaction's name. */
export function transactionId(of: Transaction): Uint8Array {
  return domainHash('cairn/transaction/1', [transactionBytes(of)]);
}

/** As it is submitted. */
export function signedBytes(of: Transaction, by: Rule, signatures: Signed[]): Uint8Array {
  return concat(Uint8Array.of(0x82), transactionBytes(of), witnessBytes(by, signatures));
}

/** Who signed, and by which rule they may. */
export function witnessBytes(by: Rule, signatures: Signed[]): Uint8Array {
  const sorted = [...signatures].sort((a, b) => a.index - b.index);
  const assertions = sorted.flatMap(({ index, assertion }): Value[] => (assertion ? [[index, assertion.authenticatorData, assertion.clientData]] : []));
  return encode([rule(by), sorted.map(({ index, signature }) => [index, signature]), ...(assertions.length ? [assertions] : [])]);
}

/** What an operator signs to have its alerts posted (`crates/explorer/src/api/webhooks.rs`). */
export function webhookMessage(chain: string, account: string, url: string, secret: Uint8Array, timeMs: number): Uint8Array {
  return domainHash('cairn/webhook/1', [utf8(chain), fromHex(account), utf8(url), secret, number(BigInt(timeMs))]);
}

/** Keys in the order the ledger wants: by kind, then by bytes. */
export function ruleOf(threshold: number, keys: PublicKey[]): Rule {
  const order = (a: PublicKey, b: PublicKey) => KINDS[a.kind] - KINDS[b.kind] || (a.hex < b.hex ? -1 : 1);
  return { threshold, keys: [...keys].sort(order) };
}

/** The account that a rule opens. */
export function accountId(of: Rule): string {
  return toHex(domainHash('cairn/account/1', [encode(rule(of))]));
}

export interface Query {
  network: string;
  cells: string[];
  quantity: string;
  from: number;
  to: number;
}

function queryHash(query: Query): Uint8Array {
  const cells = query.cells.map((cell) => BigInt(`0x${cell}`)).sort((a, b) => (a < b ? -1 : 1));
  return domainHash('cairn/query/1', [encode([fromHex(query.network), cells, query.quantity, query.from, query.to])]);
}

/** The hash an order carries: who sells how many rows of which query, for how much, owed to whom. */
export function queryTerms(chain: string, provider: string, query: Query, rows: bigint, price: bigint, meters: string): string {
  return toHex(domainHash('cairn/query-terms/1', [utf8(chain), fromHex(provider), queryHash(query), number(rows), number(price), fromHex(meters)]));
}

/** The hash an order carries that pays for whatever its key asks for, out of one network, from one provider. */
export function keyTerms(chain: string, provider: string, network: string): string {
  return toHex(domainHash('cairn/key-terms/1', [utf8(chain), fromHex(provider), fromHex(network)]));
}

/** What the voucher key signs to pay. */
export function voucherMessage(chain: string, order: string, credits: bigint, meters: string): Uint8Array {
  return domainHash('cairn/voucher/1', [utf8(chain), fromHex(order), number(credits), fromHex(meters)]);
}

/** What the voucher key signs to fetch what was paid. */
export function requestMessage(chain: string, order: string, query: Query): Uint8Array {
  return domainHash('cairn/query-request/1', [utf8(chain), fromHex(order), queryHash(query)]);
}

function number(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}
