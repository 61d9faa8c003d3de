/** When the hardware has paid for itself: costs that the operator enters, kept in this browser only, against measured income. */
import { useState } from 'preact/hooks';
import type { Schemas } from '../api/client';
import { count, parseAmount } from '../format/amounts';
import { payback } from '../format/payback';
import { keep, kept } from '../keep';
import { Card, Empty } from '../ui/block';
import { Define, definition } from '../ui/values';

interface Costs {
  hardware: string;
  month: string;
}

export function Payback({ of }: { of: Schemas['Operator'] }) {
  const name = `costs.${of.id}`;
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
    <Card title="Payback" tools={<Define of="Payback" text={definition(of.definitions, 'payback_days')} />}>
      <div class="payback">
        <div class="form">
          <label>Hardware, all devices, in dollars<input inputMode="decimal" value={costs.hardware} placeholder="240" onInput={(event) => change({ hardware: event.currentTarget.value })} /></label>
          <label>Power, connection and rent a month, in dollars<input inputMode="decimal" value={costs.month} placeholder="6" onInput={(event) => change({ month: event.currentTarget.value })} /></label>
          <p class="hint">Kept in this browser, sent nowhere.</p>
        </div>
        <div aria-live="polite">
          {wrong ? <Empty title="That is not an amount.">Dollars with a point, as 120.50.</Empty>
            : hardware === undefined ? <Empty title="Enter what the hardware cost.">Then it is held against the income of its last {of.income_per_day?.count ?? 0} days.</Empty>
              : !of.income_per_day ? <Empty title="No income to hold it against yet." /> : <Told quantiles={of.income_per_day} hardware={hardware} month={month ?? 0n} />}
        </div>
      </div>
    </Card>
  );
}

function Told({ quantiles, hardware, month }: { quantiles: Schemas['Quantiles']; hardware: bigint; month: bigint }) {
  const days = payback(hardware, month, quantiles);
  const range = <>The range is the middle half of the last {quantiles.count} days, those without pay counted as zero.</>;
  if (days.middle === null) {
    return (
      <div class="told">
        <b>It does not pay back</b>
        <p>at the median day, which earns no more than a day costs.{days.early !== null && <> If every day were a good one: {daysOf(days.early)}.</>} {range}</p>
        <p class="hint">What was, not what will be: prices, rules and customers change.</p>
      </div>
    );
  }
  return (
    <div class="told">
      <b>{daysOf(days.middle)}</b>
      <p>to earn back the hardware at the median day, running cost taken off.{days.early !== null && <> On good days {daysOf(days.early)}, on weak days {days.late === null ? 'never' : daysOf(days.late)}.</>} {range}</p>
      <p class="hint">What was, not what will be: prices, rules and customers change.</p>
    </div>
  );
}

const daysOf = (days: number) => (days === 1 ? 'one day' : `${count(days)} days`);
