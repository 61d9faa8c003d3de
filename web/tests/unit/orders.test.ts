/**
 * Keys of orders are forgotten when the order ends, and nothing else is.
 * @vitest-environment happy-dom
 */
import { beforeEach, expect, test } from 'vitest';
import { everyKept, keep, kept } from '../../src/keep';
import { type KeptOrder, forgetEnded, keepOrder, keptOrder } from '../../src/wallet/orders';

beforeEach(() => localStorage.clear());
const until = (expires: string) => ({ quote: {}, secret: 'ab'.repeat(32), expires }) as KeptOrder;

test('the key of an order stays until the order ends, by the chain’s clock', () => {
  keepOrder('one', until('2026-06-01T10:00:00.000Z'));
  keepOrder('two', until('2026-06-01T11:00:00.000Z'));
  keep('theme', 'dark');
  forgetEnded('2026-06-01T09:59:59Z');
  expect(everyKept('purchase.').sort()).toEqual(['purchase.one', 'purchase.two']);
  forgetEnded('2026-06-01T10:00:00Z');
  expect([keptOrder('one'), keptOrder('two')?.secret, kept('theme')]).toEqual([undefined, 'ab'.repeat(32), 'dark']);
});

test('keys whose end is not known, as they were kept before, are forgotten', () => {
  keep('purchase.old', { quote: {}, secret: 'cd'.repeat(32) });
  keep('purchase.odd', { quote: {}, secret: 'cd'.repeat(32), expires: 'never' });
  forgetEnded('2026-06-01T10:00:00Z');
  expect(everyKept('purchase.')).toEqual([]);
});
