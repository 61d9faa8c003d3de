/**
 * The keys of orders that are open: each was made for one order, pays no more than that order holds, and is needed to fetch the file
 * again. Kept in this browser until the order ends; never longer, and never a key of the account.
 */
import { everyKept, keep, kept } from '../keep';
import type { Quote } from './purchase';

const PREFIX = 'purchase.';

export interface KeptOrder {
  quote: Quote;
  secret: string;
  /** RFC 3339: the order's end, by the chain's clock. */
  expires: string;
}

export function keepOrder(order: string, of: KeptOrder): void {
  keep(PREFIX + order, of);
}

export function keptOrder(order: string): KeptOrder | undefined {
  return kept(PREFIX + order);
}

/** Forgets the keys of orders that ended by the chain's time, and those of which no end is known. */
export function forgetEnded(now: string): void {
  for (const name of everyKept(PREFIX)) {
    const end = Date.parse(kept<Partial<KeptOrder>>(name)?.expires ?? '');
    if (!(end > Date.parse(now))) keep(name, undefined);
  }
}
