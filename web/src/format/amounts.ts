/** Amounts of base units as people read them. Integers all the way: no amount ever becomes a float. */

/** `1234567` with 6 decimals → `1.234567`; groups of three by commas, at most `places` digits after the point, rounded down. */
export function decimal(base: string | bigint, decimals: number, places = decimals, trim = true): string {
  let value: bigint;
  try {
    value = BigInt(base);
  } catch {
    return '–';
  }
  const negative = value < 0n;
  const digits = (negative ? -value : value).toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ',');
  let part = decimals === 0 ? '' : digits.slice(digits.length - decimals).slice(0, places);
  if (trim) part = part.replace(/0+$/, '');
  return (negative ? '−' : '') + whole + (part ? `.${part}` : '');
}

/** As many digits as help: whole numbers when large, more places when small. */
export function places(base: string | bigint, decimals: number): number {
  let value: bigint;
  try {
    value = BigInt(base);
  } catch {
    return 0;
  }
  if (value < 0n) value = -value;
  const one = 10n ** BigInt(decimals);
  if (value >= 1000n * one) return 0;
  if (value >= one || value === 0n) return Math.min(2, decimals);
  // Three significant digits of what is below one.
  return Math.min(decimals, decimals - value.toString().length + 3);
}

/** Micro-dollars: two places from a cent up, more below. */
export function dollars(micro: string | bigint): string {
  const value = BigInt(micro);
  const size = value < 0n ? -value : value;
  const shown = size === 0n || size >= 10_000n ? 2 : 6;
  const text = decimal(size, 6, shown, shown !== 2);
  return `${value < 0n ? '−' : ''}$${text}`;
}

/** For charts only: a number near enough to draw. */
export function toNumber(base: string | null | undefined, decimals: number): number | null {
  return base === null || base === undefined ? null : Number(base) / 10 ** decimals;
}

/** A person's `12.5` → base units; undefined when it is not an amount of so many decimals. */
export function parseAmount(text: string, decimals: number): bigint | undefined {
  const match = /^(\d{1,15})(?:\.(\d*))?$/.exec(text.replace(/[\s,]/g, ''));
  if (!match || (match[2] ?? '').length > decimals) return undefined;
  return BigInt(match[1]! + (match[2] ?? '').padEnd(decimals, '0'));
}

export function percent(bps: number | null | undefined): string {
  if (bps === null || bps === undefined) return '–';
  return `${(bps / 100).toFixed(bps === 0 || bps >= 1000 ? 0 : 1)} %`;
}

export function count(value: number): string {
  return decimal(BigInt(Math.trunc(value)), 0);
}

/** A measured value: `v / 10^decimals unit`. */
export function measured(value: string | number | bigint, decimals: number, unit: string): string {
  const text = decimal(BigInt(value), decimals);
  return unit ? `${text} ${unit}` : text;
}

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  if (count < 1_000_000) return `${(count / 1000).toFixed(1)} kB`;
  return `${(count / 1_000_000).toFixed(1)} MB`;
}
