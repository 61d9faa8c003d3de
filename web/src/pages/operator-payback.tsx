/** When the hardware has paid for itself: costs that the operator enters, kept in this browser only, against measured income. */
import { useState } from 'preact/hooks';
import type { Schemas } from '../api/client';
import { parseAmount } from '../format/amounts';
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
            : hardware === undefined ? <Empty title="Enter what the hardware cost.">Then it is held against {of.days.length} days of measured income.</Empty>
              : !of.income_per_day ? <Empty title="No income to hold it against yet." /> : <Told quantiles={of.income_per_day} hardware={hardware} month={month ?? 0n} />}
        </div>
      </div>
    </Card>
  );
}

function Told({ quantiles, hardware, month }: { quantiles: Schemas['Quantiles']; hardware: bigint; month: bigint }) {
  const days = payback(hardware, month, quantiles);
  if (days.middle === null) {
    return <Empty title="It does not pay back.">The median day earns no more than a day costs.</Empty>;
  }
  return (
    <div class="told">
      <b>{days.middle} days</b>
      <p>to earn back the hardware at the median day, running cost taken off. On good days {days.early} days, on weak days {days.late === null ? 'never' : `${days.late} days`}: the range is the middle half of the last {quantiles.count} days with income.</p>
      <p class="hint">What was, not what will be: prices, rules and customers change.</p>
    </div>
  );
}
