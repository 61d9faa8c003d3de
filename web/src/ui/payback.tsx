/** When hardware has paid for itself: costs that the reader enters, kept in this browser only, against measured income. */
import { useState } from 'preact/hooks';
import type { Schemas } from '../api/client';
import { count, parseAmount } from '../format/amounts';
import { payback } from '../format/payback';
import { keep, kept } from '../keep';
import { Empty } from './block';

interface Costs {
  hardware: string;
  month: string;
}

/** Which quantiles of whose income, in words. */
export interface PaybackWords {
  hardware: string;
  /** Whose median the middle figure is of: "the median day". */
  median: string;
  good: string;
  weak: string;
  /** What the range is of. */
  range: string;
  awaited: string;
}

export function PaybackForm({ name, income, words }: { name: string; income: Schemas['Quantiles'] | null | undefined; words: PaybackWords }) {
  const [costs, set] = useState<Costs>(() => kept<Costs>(name) ?? { hardware: '', month: '' });
  const change = (part: Partial<Costs>) => {
    const next = { ...costs, ...part };
    set(next);
    keep(name, next);
  };
  const hardware = parseAmount(costs.hardware, 6);
  const month = costs.month ? parseAmount(costs.month, 6) : 0n;
  const wrong = (costs.hardware !== '' && hardware === undefined) || month === undefined;
  return (
    <div class="payback">
      <div class="form">
        <label>{words.hardware}<input inputMode="decimal" value={costs.hardware} placeholder="240" onInput={(event) => change({ hardware: event.currentTarget.value })} /></label>
        <label>Power, connection and rent a month, in dollars<input inputMode="decimal" value={costs.month} placeholder="6" onInput={(event) => change({ month: event.currentTarget.value })} /></label>
        <p class="hint">Kept in this browser, sent nowhere.</p>
      </div>
      <div aria-live="polite">
        {wrong ? <Empty title="That is not an amount.">Dollars with a point, as 120.50.</Empty>
          : hardware === undefined ? <Empty title="Enter what the hardware cost.">{words.awaited}</Empty>
            : !income ? <Empty title="No income to hold it against yet." /> : <Told income={income} hardware={hardware} month={month ?? 0n} words={words} />}
      </div>
    </div>
  );
}

function Told({ income, hardware, month, words }: { income: Schemas['Quantiles']; hardware: bigint; month: bigint; words: PaybackWords }) {
  const days = payback(hardware, month, income);
  return (
    <div class="told">
      {days.middle === null ? (
        <>
          <b>It does not pay back</b>
          <p>at {words.median}, which earns no more than a day costs.{days.early !== null && <> With {words.good}: {daysOf(days.early)}.</>} {words.range}</p>
        </>
      ) : (
        <>
          <b>{daysOf(days.middle)}</b>
          <p>to earn back the hardware at {words.median}, running cost taken off.{days.early !== null && <> With {words.good} {daysOf(days.early)}, with {words.weak} {days.late === null ? 'never' : daysOf(days.late)}.</>} {words.range}</p>
        </>
      )}
      <p class="hint">What was, not what will be: prices, rules and customers change.</p>
    </div>
  );
}

const daysOf = (days: number) => (days === 1 ? 'one day' : `${count(days)} days`);
