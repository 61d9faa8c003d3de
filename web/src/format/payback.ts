/** Days until income has paid for the hardware. Integers; a broken day counts as a whole one. */

export interface Days {
  /** None, each: such a day earns no more than it costs. */
  early: number | null;
  middle: number | null;
  late: number | null;
}

/** Micro-dollars all; a month has 30 days, and a day's cost is rounded up. */
export function payback(hardware: bigint, month: bigint, income: { p25: string; median: string; p75: string }): Days {
  const cost = (month + 29n) / 30n;
  const days = (perDay: string): number | null => {
    const left = BigInt(perDay) - cost;
    return left > 0n ? Number((hardware + left - 1n) / left) : null;
  };
  return { early: days(income.p75), middle: days(income.median), late: days(income.p25) };
}
