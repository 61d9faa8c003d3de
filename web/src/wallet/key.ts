/**
 * API keys: an order of one's account that holds a budget, and the secret that pays out of it. Whoever has the key can spend what the
 * order holds and nothing else. A key is shown once and never kept here.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { Refused } from '../api/client';
import { concat, fromHex, toHex } from '../verify/bytes';
import { toBase64Url } from './passkey';
import { type Body, keyTerms } from './transactions';

/** As the gateway says it (`crates/gateway/openapi.json`); credits in decimal. */
export interface KeyState {
  order: string;
  state: 'open' | 'spent' | 'settling' | 'closed' | 'expired';
  held_credits: string;
  spent_credits: string;
  left_credits: string;
  expires: string;
  sells_until: string;
  /** Not known any more of one that is closed. */
  queries_paid: number | null;
}

export interface Begun {
  secret: Uint8Array;
  body: Body & { kind: 'open_order' };
}

/** The order of a key that pays `provider` for data of `network`: at most `hold` credits, until so many days after `now`. */
export function beginKey(chain: string, provider: string, network: string, hold: bigint, now: string, days: number): Begun {
  const secret = ed25519.utils.randomSecretKey();
  const voucherKey = { kind: 'ed25519' as const, hex: toHex(ed25519.getPublicKey(secret)) };
  const expires = BigInt(Date.parse(now) + days * 86_400_000);
  return { secret, body: { kind: 'open_order', shape: 'key', network, provider, terms: keyTerms(chain, provider, network), hold, expires, voucherKey } };
}

/** As programs send it. */
export function keyText(order: string, secret: Uint8Array): string {
  return `cairn_${toBase64Url(concat(fromHex(order), secret))}`;
}

/** What a key has left, or, asked to, closes it: what it spent is paid, the rest returns. */
export async function askKey(key: string, method: 'GET' | 'DELETE'): Promise<KeyState> {
  const response = await fetch('/v1/key', { method, headers: { Accept: 'application/json', Authorization: `Bearer ${key}` } });
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok && answer) return answer as KeyState;
  const refusal = { code: 'unreachable', message: 'the gateway does not answer', hint: 'Try again: a key loses nothing by being asked about.' };
  throw new Refused((answer as typeof refusal | undefined) ?? refusal, response.status);
}
