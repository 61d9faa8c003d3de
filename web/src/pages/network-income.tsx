/** What a network's operators make of it, and how soon that would pay back what a newcomer spends. */
import type { Schemas } from '../api/client';
import { count, dollars } from '../format/amounts';
import { Card, Empty } from '../ui/block';
import { PaybackForm } from '../ui/payback';
import { Spread } from '../ui/spread';
import { Define, definition } from '../ui/values';

export function Income({ of }: { of: Schemas['Network'] }) {
  return (
    <Card class="half" title="What an operator earns in a day" tools={<Define of="income per day" text={definition(of.definitions, 'income_per_day')} />}>
      {of.income_per_day ? <Spread of={of.income_per_day} text={(micro) => dollars(micro)} what="operators" /> : <Empty title="Nobody earned yet." />}
    </Card>
  );
}

export function NewcomersPayback({ of }: { of: Schemas['Network'] }) {
  const operators = count(of.income_per_day?.count ?? 0);
  return (
    <Card title="How soon it would pay back">
      <PaybackForm name={`costs.${of.id}`} income={of.income_per_day} words={{
        hardware: 'Hardware of one operator, in dollars',
        median: 'what the median operator earns',
        good: 'what one in four earns at least',
        weak: 'what three in four earn at least',
        range: `Held against the middle half of ${operators} operators.`,
        awaited: `Then it is held against what its ${operators} operators earn.`,
      }} />
    </Card>
  );
}
