/** When an operator's hardware has paid for itself, by its own days. */
import type { Schemas } from '../api/client';
import { Card } from '../ui/block';
import { PaybackForm } from '../ui/payback';
import { Define, definition } from '../ui/values';

export function Payback({ of }: { of: Schemas['Operator'] }) {
  const days = of.income_per_day?.count ?? 0;
  return (
    <Card title="Payback" tools={<Define of="Payback" text={definition(of.definitions, 'payback_days')} />}>
      <PaybackForm name={`costs.${of.id}`} income={of.income_per_day} words={{
        hardware: 'Hardware, all devices, in dollars',
        median: 'the median day',
        good: 'good days',
        weak: 'weak days',
        range: `The range is the middle half of the last ${days} days, those without pay counted as zero.`,
        awaited: `Then it is held against the income of its last ${days} days.`,
      }} />
    </Card>
  );
}
