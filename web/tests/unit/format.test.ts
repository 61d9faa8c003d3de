/** Amounts and times as people read them. */
import { describe, expect, test } from 'vitest';
import { decimal, dollars, parseAmount, percent, places } from '../../src/format/amounts';
import { payback } from '../../src/format/payback';
import { duration, utc } from '../../src/format/times';

describe('amounts', () => {
  test.each([
    ['0', 6, '0'], ['1', 6, '0.000001'], ['1234567', 6, '1.234567'], ['1000000', 6, '1'], ['-1500000', 6, '−1.5'], ['123456789012345678901234', 6, '123,456,789,012,345,678.901234'], ['1234', 0, '1,234'], ['word', 6, '–'],
  ])('%s with %d decimals reads %s', (base, decimals, text) => expect(decimal(base, decimals)).toBe(text));

  test('digits are cut, never rounded up', () => expect(decimal('1999999', 6, 2)).toBe('1.99'));
  test('small amounts keep digits that say something', () => {
    expect(decimal('123', 6, places('123', 6))).toBe('0.000123');
    expect(decimal('2345678901', 6, places('2345678901', 6))).toBe('2,345');
  });
  test('dollars', () => {
    expect(dollars('1752400')).toBe('$1.75');
    expect(dollars('1234')).toBe('$0.001234');
    expect(dollars('-250000')).toBe('−$0.25');
    expect(dollars('0')).toBe('$0.00');
  });
  test.each([['12.5', 12_500_000n], ['0.000001', 1n], ['1,000', 1_000_000_000n], ['12.', 12_000_000n]])('a person’s %s', (text, base) => expect(parseAmount(text, 6)).toBe(base));
  test.each(['', '-1', '1e3', '0.0000001', 'abc', '1.2.3'])('“%s” is no amount', (text) => expect(parseAmount(text, 6)).toBeUndefined());
  test('shares', () => {
    expect(percent(0)).toBe('0 %');
    expect(percent(123)).toBe('1.2 %');
    expect(percent(null)).toBe('–');
  });
});

describe('times', () => {
  test('durations have two units at most', () => expect([59_000, 250_000, 2_512_000, 7_500_000, 300_000_000].map(duration)).toEqual(['59 s', '4 min 10 s', '41 min', '2 h 5 min', '3 days']));
  test('UTC for the title', () => expect(utc('2026-06-02T00:00:00+02:00')).toBe('2026-06-01 22:00:00 UTC'));
});

describe('payback', () => {
  const income = { p25: '1000000', median: '2000000', p75: '4000000' };
  test('the hardware’s cost over a day’s income less a day’s cost', () => expect(payback(240_000_000n, 0n, income)).toEqual({ early: 60, middle: 120, late: 240 }));
  test('running cost comes off, and a broken day is a whole one', () => expect(payback(240_000_000n, 30_000_000n, income)).toEqual({ early: 80, middle: 240, late: null }));
  test('no figure when nothing is left', () => expect(payback(240_000_000n, 60_000_000n, income)).toEqual({ early: 120, middle: null, late: null }));
  test('no figure at all, and never nought days, when the best day earns no more than it costs', () => expect(payback(240_000_000n, 120_000_000n, income)).toEqual({ early: null, middle: null, late: null }));
});
