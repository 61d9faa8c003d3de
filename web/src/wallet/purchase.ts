/**
 * Buys what a gateway quoted: an order on the ledger, signed by the account; a voucher and the request, signed by a key made for
 * this order alone, which can lose no more than the order holds. That key stays here until the order ends, so asking again is free.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { get, post, Refused } from '../api/client';
import { fromHex, toHex } from '../verify/bytes';
import { keepOrder, keptOrder } from './orders';
import { type Body, type Query, queryTerms, requestMessage, voucherMessage } from './transactions';

/** As the gateway says it (`crates/gateway/openapi.json`). */
export interface Quote {
  chain: string;
  provider: string;
  query: { network: string; cells?: string[]; quantity: string; from: string; to: string };
  rows: number;
  devices: number;
  price_credits: string;
  meters: string;
  terms: string;
  valid_until: string;
  available_until: string;
  epochs: { first: number; last: number; settled: number; missing: number };
}

export interface Asked {
  network: string;
  cells: string[];
  quantity: string;
  /** RFC 3339. */
  from: string;
  to: string;
}

export function quoteFor(customer: string, query: Asked): Promise<Quote> {
  return post<Quote>('/v1/quotes', { customer, query });
}

/** For anybody, without an account. */
export function priceOf(query: Asked): Promise<Quote> {
  return post<Quote>('/v1/quotes', { query });
}

function queryOf(quote: Quote): Query {
  const { network, cells = [], quantity, from, to } = quote.query;
  return { network, cells, quantity, from: Date.parse(from), to: Date.parse(to) };
}

/** Whether the quote is for what was asked, and its terms are the hash of what it says. */
export function isWhatWasAsked(asked: Asked, quote: Quote): boolean {
  const query = queryOf(quote);
  const cells = (list: string[]) => [...list].sort().join();
  const same = query.network === asked.network && query.quantity === asked.quantity && cells(query.cells) === cells(asked.cells) && query.from === Date.parse(asked.from) && query.to <= Date.parse(asked.to);
  return same && queryTerms(quote.chain, quote.provider, query, BigInt(quote.rows), BigInt(quote.price_credits), quote.meters) === quote.terms;
}

export interface Purchase {
  quote: Quote;
  secret: string;
  body: Body;
}

/** The order that holds exactly the price until an hour from the chain's time. */
export function begin(quote: Quote, now: string): Purchase {
  const secret = ed25519.utils.randomSecretKey();
  const voucherKey = { kind: 'ed25519' as const, hex: toHex(ed25519.getPublicKey(secret)) };
  const body: Body = { kind: 'open_order', shape: 'query', network: quote.query.network, provider: quote.provider, terms: quote.terms, hold: BigInt(quote.price_credits), expires: BigInt(Date.parse(now) + 3_600_000), voucherKey };
  return { quote, secret: toHex(secret), body };
}

/** When the order of a purchase ends. */
export function endOf({ body }: Purchase): string {
  return new Date(Number(body.kind === 'open_order' ? body.expires : 0)).toISOString();
}

export function remember(order: string, purchase: Purchase): void {
  keepOrder(order, { quote: purchase.quote, secret: purchase.secret, expires: endOf(purchase) });
}

export type Format = 'csv' | 'geojson' | 'parquet';

/** Pays and fetches; the same again fetches again and pays nothing. */
export async function fetchFile(order: string, format: Format): Promise<Blob> {
  const bought = keptOrder(order);
  if (!bought) throw new Error('the key of this order is not in this browser, or no more: it is forgotten at the order’s end');
  const { quote } = bought;
  const secret = fromHex(bought.secret);
  const sign = (message: Uint8Array) => toHex(ed25519.sign(message, secret));
  const response = await fetch('/v1/queries', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      query: quote.query, format, order,
      voucher: { credits: quote.price_credits, meters: quote.meters, signature: sign(voucherMessage(quote.chain, order, BigInt(quote.price_credits), quote.meters)) },
      signature: sign(requestMessage(quote.chain, order, queryOf(quote))),
    }),
  });
  if (!response.ok) throw new Refused(await response.json().catch(() => ({ code: 'refused', message: 'the gateway refused', hint: 'Ask again: what is paid is not paid twice.' })), response.status);
  return response.blob();
}

const ROUND_MS = 700;
const ROUNDS_MAX = 120;

/** Waits until a transaction is final; throws what the ledger says when it is not taken. */
export async function untilFinal(id: string): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const found = await get('/v1/transactions/{id}', { params: { path: { id } } }).catch(() => undefined);
    if (found?.state === 'final') return;
    if (found?.state === 'dropped') throw new Refused(found.refusal ?? { code: 'dropped', message: 'the ledger did not take it', hint: 'Nothing was paid.' }, 422);
    await new Promise((wake) => setTimeout(wake, ROUND_MS));
  }
  throw new Error('it is not final yet');
}
