/** A chart over time (uPlot), in the theme's colours, with what is under the pointer and the same figures as a table. */
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { colour, useTheme } from '../theme';
import { dateTime } from '../format/times';

export interface Line {
  name: string;
  /** Which of the four colours; 1 unless told otherwise. */
  tone?: 1 | 2 | 3 | 4;
  values: (number | null)[];
  kind?: 'bar' | 'line' | 'points';
  /** A value of nought is a measurement: a dot says that it is there. */
  zeros?: boolean;
  text: (value: number) => string;
}

export interface Shade {
  from: number;
  to: number;
}

interface ChartProps {
  label: string;
  /** Seconds, rising. */
  times: number[];
  lines: Line[];
  height?: number;
  /** Bars stand on each other in the order given. */
  stacked?: boolean;
  shades?: Shade[];
  /** The axis begins near the lowest value instead of at zero. */
  near?: boolean;
  /** For the axis: short. */
  axis?: (value: number) => string;
  /** Each time stands for a whole day, in UTC: it is named by its day, and the axis has days. */
  days?: boolean;
}

const FONT = "12px 'Plex Sans', system-ui, sans-serif";

export function Chart({ label, times, lines, height = 190, stacked = false, shades = [], near = false, axis, days = false }: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<{ index: number; left: number } | null>(null);
  const theme = useTheme();

  useEffect(() => {
    const element = host.current;
    if (!element || times.length === 0) return;
    const plot = new uPlot(options(element.clientWidth, height, lines, shades, axis, times, near, days), data(times, lines, stacked), element);
    plot.over.addEventListener('mouseleave', () => setAt(null));
    plot.over.addEventListener('mousemove', () => {
      const index = plot.cursor.idx;
      setAt(index === null || index === undefined ? null : { index, left: plot.cursor.left ?? 0 });
    });
    const watch = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [theme, JSON.stringify([times, lines.map((line) => line.values), shades, height])]);

  const width = host.current?.clientWidth ?? 300;
  const named = (time: number) => (days ? WHOLE_DAY.format(time * 1000) : dateTime(time * 1000));
  return (
    <figure aria-label={label}>
      {lines.length > 1 && (
        <ul class="chart-legend">{lines.map((line) => <li key={line.name}><i class={`swatch c${line.tone ?? 1}`} />{line.name}</li>)}</ul>
      )}
      <div class="chart" ref={host} aria-hidden="true">
        <div class="chart-tip" hidden={at === null} style={at ? (at.left > width / 2 ? { left: '8px' } : { right: '8px' }) : {}}>
          {at && times[at.index] !== undefined && (
            <>
              <b>{named(times[at.index]!)}</b>
              {lines.map((line) => <div key={line.name}>{line.name}: {shown(line, at.index)}</div>)}
            </>
          )}
        </div>
      </div>
      <details class="as-table">
        <summary>Show as a table</summary>
        <div class="table-wrap" role="region" aria-label={`${label}, as a table`} tabIndex={0}>
          <table>
            <thead><tr><th scope="col">{days ? 'Day, UTC' : 'Time'}</th>{lines.map((line) => <th key={line.name} scope="col" class="num">{line.name}</th>)}</tr></thead>
            <tbody>
              {times.slice(-400).map((time, i, all) => {
                const index = times.length - all.length + i;
                return <tr key={time}><td>{named(time)}</td>{lines.map((line) => <td key={line.name} class="num">{shown(line, index)}</td>)}</tr>;
              })}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}

function shown(line: Line, index: number): string {
  const value = line.values[index];
  return value === null || value === undefined ? '–' : line.text(value);
}

/** Stacked values are sums from below; drawn from the highest, so that lower ones stay in front. */
function data(times: number[], lines: Line[], stacked: boolean): uPlot.AlignedData {
  if (!stacked) return [times, ...lines.map((line) => line.values)] as uPlot.AlignedData;
  const sums: number[] = times.map(() => 0);
  const heights = lines.map((line) => times.map((_, i) => (sums[i] = sums[i]! + (line.values[i] ?? 0))));
  return [times, ...heights.reverse()] as uPlot.AlignedData;
}

function options(width: number, height: number, lines: Line[], shades: Shade[], axis: ChartProps['axis'], times: number[], near: boolean, days: boolean): uPlot.Options {
  const ink = colour('ink-3');
  const stacked = lines.every((line) => line.kind === 'bar') && lines.length > 1;
  const order = stacked ? [...lines].reverse() : lines;
  const step = times.length > 1 && !days ? times[1]! - times[0]! : 86_400;
  const bars = lines.some((line) => line.kind === 'bar');
  /** Measured as nought: drawn as dots on the axis, with room beneath. */
  const zeros = !stacked && lines.some((line) => line.zeros);
  const [first, last] = [times[0] ?? 0, times.at(-1) ?? 0];
  const margin = bars || first === last ? step * 0.6 : 0;
  return {
    width,
    height,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: !bars } },
    padding: [8, 16, 0, 0],
    scales: {
      x: { range: [first - margin, last + margin] },
      y: near ? {} : { range: (_, min, max) => (bars || min >= 0 ? [zeros ? -0.05 * (max || 1) : 0, max > 0 ? max * 1.08 : 1] : [min * 1.08, Math.max(0, max * 1.08)]) },
    },
    axes: [
      { stroke: ink, font: FONT, grid: { show: false }, ticks: { show: false }, size: 32, gap: 9, space: 70, values: days ? axisDays : axisTimes, ...(days && { splits: (plot: uPlot) => thinned(times, plot.bbox.width / devicePixelRatio / 70) }) },
      { stroke: ink, font: FONT, grid: { stroke: colour('chart-grid'), width: 1 }, ticks: { show: false }, size: axisSize, space: 42, values: (_: uPlot, ticks: number[]) => ticks.map((tick) => (tick < 0 && zeros ? '' : axis ? axis(tick) : String(tick))) },
    ],
    hooks: { drawClear: [(plot) => shade(plot, shades)] },
    series: [
      {},
      ...order.map((line): uPlot.Series => {
        const tone = colour(`chart-${line.tone ?? 1}`);
        if (line.kind === 'bar') return { fill: tone, stroke: tone, width: 0, paths: uPlot.paths.bars!({ size: [0.62, 26], radius: 0.12 }), points: noughts(line, tone) };
        if (line.kind === 'points') return { stroke: tone, width: 0, paths: () => null, points: { show: true, size: 5, width: 0, fill: tone } };
        return { stroke: tone, width: 1.8, points: { show: times.length < 3 } };
      }),
    ],
  };
}

/** Where a bar has no height: a dot on the axis. */
function noughts(line: Line, tone: string): uPlot.Series.Points {
  if (!line.zeros) return { show: false };
  const places = line.values.flatMap((value, at) => (value === 0 ? [at] : []));
  return { show: true, filter: () => places, size: 3, fill: tone, stroke: tone, width: 0 };
}

/** So many of the times as have room, the last among them. */
function thinned(times: number[], room: number): number[] {
  const every = Math.max(1, Math.ceil(times.length / Math.max(1, room)));
  return times.filter((_, at) => (times.length - 1 - at) % every === 0);
}

/** Room for the longest label. */
function axisSize(_: uPlot, values: string[] | null): number {
  return 14 + 7 * Math.max(2, ...(values ?? []).map((value) => value.length));
}

const HOUR = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const UTC_DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', timeZone: 'UTC' });
const WHOLE_DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const axisDays = (_: uPlot, ticks: number[]): string[] => ticks.map((tick) => UTC_DAY.format(tick * 1000));

function axisTimes(_: uPlot, ticks: number[]): string[] {
  const days = ticks.length > 1 && ticks[1]! - ticks[0]! >= 86_400;
  let before = '';
  return ticks.map((tick) => {
    const time = new Date(tick * 1000);
    const day = DAY.format(time);
    if (days) return day;
    const text = time.getHours() === 0 && day !== before ? day : HOUR.format(time);
    before = day;
    return text;
  });
}

/** Stretches that touch are one. */
export function joined(shades: Shade[]): Shade[] {
  const all: Shade[] = [];
  for (const shade of [...shades].sort((a, b) => a.from - b.from)) {
    const last = all.at(-1);
    if (last && shade.from <= last.to) last.to = Math.max(last.to, shade.to);
    else all.push({ ...shade });
  }
  return all;
}

/** Refused stretches: a tinted ground behind the line. */
function shade(plot: uPlot, shades: Shade[]): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = colour('bad-soft');
  for (const { from, to } of joined(shades)) {
    const left = Math.max(bbox.left, Math.round(plot.valToPos(from, 'x', true)));
    const right = Math.min(bbox.left + bbox.width, Math.round(plot.valToPos(to, 'x', true)));
    if (right > left) ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
  }
  ctx.restore();
}

/** Short numbers for an axis: 12k, 3.25M. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${trim(value / 1e9)}G`;
  if (size >= 1e6) return `${trim(value / 1e6)}M`;
  if (size >= 1e4) return `${trim(value / 1e3)}k`;
  return trim(value);
}
const trim = (value: number) => String(Number(value.toPrecision(5)));
