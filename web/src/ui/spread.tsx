/** How a figure is spread: a line from the 10th to the 90th of a hundred, a box over the middle half, a mark at the median. */
import type { Schemas } from '../api/client';

export function Spread({ of, text, what }: { of: Schemas['Quantiles']; text: (value: string) => string; what: string }) {
  const top = Number(of.p90) * 1.12 || 1;
  const x = (value: string) => `${Math.min(100, (100 * Number(value)) / top)}%`;
  const width = (from: string, to: string) => `${Math.max(0.5, (100 * (Number(to) - Number(from))) / top)}%`;
  return (
    <div class="spread">
      <div class="spread-line" aria-hidden="true">
        <i class="whole" style={{ left: x(of.p10), width: width(of.p10, of.p90) }} />
        <i class="half" style={{ left: x(of.p25), width: width(of.p25, of.p75) }} />
        <i class="mid" style={{ left: x(of.median) }} />
      </div>
      <dl>
        <div><dt>One in ten earns less than</dt><dd>{text(of.p10)}</dd></div>
        <div><dt>Median</dt><dd><b>{text(of.median)}</b></dd></div>
        <div><dt>One in ten earns more than</dt><dd>{text(of.p90)}</dd></div>
      </dl>
      <p class="hint">Middle half: {text(of.p25)} to {text(of.p75)}; lowest {text(of.min)}, highest {text(of.max)}; {of.count} {what}.</p>
    </div>
  );
}
