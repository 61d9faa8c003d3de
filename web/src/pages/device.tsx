/** One device: where it stands, what it measured, what was refused and why, what it earned, and what would earn more. */
import { useEffect, useState } from 'preact/hooks';
import { useLocation, useRoute } from 'preact-iso';
import { useGet } from '../api/use';
import type { Schemas } from '../api/client';
import { useChain, useToken } from '../chain';
import { count, decimal, percent, toNumber } from '../format/amounts';
import { useTitle } from '../title';
import { Block, Card, Empty, Subject, sentence } from '../ui/block';
import { Chart, short } from '../ui/chart';
import { ProvenRecord } from '../ui/proven';
import { Pager, Pairs, Stat, Stats, Table } from '../ui/table';
import { Define, Id, Tag, Time, Token, Units, Usd, Words, definition } from '../ui/values';
import { isHex, isNumber } from '../verify/record';
import { Neighbours } from './device-neighbours';

const STRETCHES_SHOWN = 3;

export function Device() {
  const { id = '' } = useRoute().params;
  const device = useGet('/v1/devices/{id}', { params: { path: { id } } });
  useTitle(device.data ? `Device ${device.data.number}` : 'Device');
  return <Subject from={device}>{(data) => <Page of={data} />}</Subject>;
}

function Page({ of }: { of: Schemas['Device'] }) {
  const stay = of.memberships.find((one) => one.left === null) ?? of.memberships[0];
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs">{stay ? <a href={`/networks/${stay.network}`}>{stay.name}</a> : 'In no network'}</p>
          <h1>Device {of.number}</h1>
          <p class="lead"><Id id={of.id} copy /> of <a href={`/operators/${of.owner}`}>account {of.owner_number}</a></p>
          <p><ProvenRecord kind="device" id={of.id} height={of.at.height} what="owner" same={([number, , owner]) => isNumber(number, of.number) && isHex(owner, of.owner)} /></p>
        </div>
        <Tag state={of.state} />
      </div>
      <Stats>
        <Stat label="Uptime" define={<Define of="Uptime" text={definition(of.definitions, 'uptime_bps')} />} sub="of the last 24 epochs">{percent(of.uptime_bps)}</Stat>
        <Stat label="Units in 24 epochs" sub={<><Units micro={of.units} /> since it began</>}><Units micro={of.units_day} /></Stat>
        <Stat label="Reports accepted" sub={`${count(of.refused)} refused`}>{count(of.accepted)}</Stat>
        <Stat label="Earned" define={<Define of="Earned" text={definition(of.definitions, 'usd_micro')} />} sub={<><Token base={of.earned.token} /> and <Usd micro={of.earned.stable} /></>}><Usd micro={of.earned.usd_micro} /></Stat>
      </Stats>
      <div class="grid">
        <Card class="half" title="What would earn more">
          {of.advice.length === 0 ? <Empty title="Nothing: it earns all it can here." /> : <ul class="feed">{of.advice.map((one) => <li key={one.code}><span aria-hidden="true">→</span><span><Words text={sentence(one.sentence)} /></span></li>)}</ul>}
        </Card>
        <Standing of={of} />
        {stay && <ReadingCharts of={of} stay={stay} />}
        <Neighbours of={of} stay={stay} />
        <Earned of={of} />
        <Findings of={of} />
        <Card title="Where and since when">
          <Pairs items={[
            ...of.memberships.map((one): [string, preact.ComponentChildren] => [one.name, <>cell <code>{one.cell}</code>, epochs {count(one.joined)} to {one.left === null || one.left === undefined ? 'now' : count(one.left)}</>]),
            ['Registered', `epoch ${count(of.registered)}`],
            ['Key', <code>{of.key}</code>],
          ]} />
        </Card>
      </div>
    </>
  );
}

function Standing({ of }: { of: Schemas['Device'] }) {
  return (
    <Card class="half" title="Reputation" tools={<Define of="Reputation" text={definition(of.definitions, 'reputation')} />}>
      {of.reputation.length === 0 ? <Empty title="Nothing of it was judged yet." /> : of.reputation.map((one) => (
        <div key={one.network}>
          <Pairs items={[
            ['Score', `${decimal(BigInt(one.score), 2)} of 100`],
            ['Paid for', one.paid === one.of ? 'all of its units' : one.paid === 0 ? 'none of its units' : `${percent(Math.round((10_000 * one.paid) / one.of))} of its units`],
          ]} />
          {one.excluded && <p class="banner bad">{sentence(one.excluded.sentence)} It counts again from epoch {count(one.excluded.until_epoch)}, <Time at={one.excluded.until} />.</p>}
        </div>
      ))}
    </Card>
  );
}

/** One chart for each field of the network's kind: a new kind needs no code here. */
function ReadingCharts({ of, stay }: { of: Schemas['Device']; stay: Schemas['Membership'] }) {
  const fields = useGet('/v1/fields/{vertical}', { params: { path: { vertical: stay.vertical } } }, false);
  const [none, setNone] = useState<string[]>([]);
  const drawn = fields.data?.fields.filter((field) => field.chart !== 'none') ?? [];
  const alone = drawn.length > 0 && none.length === drawn.length - 1;
  const epoch = of.epochs.at(-1)?.epoch;
  return (
    <>
      {drawn.map((field, at) => (
        <Reading key={`${field.quantity} ${epoch}`} of={of} stay={stay} field={field} first={at === 0} alone={alone}
          onNone={(name, is) => setNone((all) => (all.includes(name) === is ? all : is ? [...all, name] : all.filter((one) => one !== name)))} />
      ))}
      {none.length > 0 && <p class="hint">In these epochs it measured no {none.join(', ')}.</p>}
    </>
  );
}

interface ReadingProps {
  of: Schemas['Device'];
  stay: Schemas['Membership'];
  field: Schemas['Field'];
  first: boolean;
  /** Whether it is the only chart. */
  alone: boolean;
  onNone: (name: string, is: boolean) => void;
}

/** Nothing where the device measured nothing of the field; only the first says that it is being looked for. */
function Reading({ of, stay, field, first, alone, onNone }: ReadingProps) {
  const readings = useGet('/v1/devices/{id}/readings', { params: { path: { id: of.id }, query: { network: stay.network, field: field.name } } }, false);
  const isNone = readings.data !== undefined && readings.data.times_ms.length === 0 && readings.data.awaited.length === 0;
  useEffect(() => onNone(field.name, isNone), [isNone]);
  if (isNone || (!first && readings.state === 'loading')) return null;
  const name = field.name.charAt(0).toUpperCase() + field.name.slice(1);
  return (
    <Block class={alone ? '' : 'half'} title={field.unit ? `${name}, ${field.unit}` : name} from={readings} tools={<Define of={name} text={`${sentence(field.sentence)}${field.paid ? ' The network pays for it.' : ''}`} />}
      empty={(data) => (data.times_ms.length === 0 ? <Empty title="The archive of these epochs is awaited." /> : undefined)}>
      {(data) => (
        <>
          {data.field.chart === 'events' ? <Events of={data} name={name} /> : (
            <Chart label={`${name} over time`} height={170} times={data.times_ms.map((ms) => ms / 1000)} axis={short} near={data.field.chart === 'points'}
              shades={data.stretches.map((one) => ({ from: Date.parse(one.start) / 1000, to: Date.parse(one.end) / 1000 }))}
              lines={[{ name, tone: 1, kind: drawnAs(data.field.chart), zeros: data.field.chart === 'bar', text: (value) => `${value} ${data.field.unit}`, values: data.values.map((value) => value / 10 ** data.field.decimals) }]} />
          )}
          <Refusals of={data.stretches} />
          {data.awaited.length > 0 && <p class="hint">The archives of {data.awaited.length} epochs are awaited.</p>}
        </>
      )}
    </Block>
  );
}

const drawnAs = (chart: Schemas['Field']['chart']) => (chart === 'bar' || chart === 'points' ? chart : 'line');

/** What has no value to show: how often it happened in each epoch, and how often it was believed. */
function Events({ of, name }: { of: Schemas['Readings']; name: string }) {
  const epochMs = useChain()?.epoch?.epoch_ms ?? 3_600_000;
  const counts = new Map<number, [number, number]>();
  of.times_ms.forEach((ms, at) => {
    const start = Math.floor(ms / epochMs) * epochMs;
    const [accepted, refused] = counts.get(start) ?? [0, 0];
    counts.set(start, of.accepted[at] ? [accepted + 1, refused] : [accepted, refused + 1]);
  });
  const rows = [...counts].sort(([one], [other]) => one - other);
  const line = (title: string, tone: 1 | 3, which: 0 | 1) => ({ name: title, tone, kind: 'bar' as const, text: count, values: rows.map(([, both]) => both[which]) });
  return <Chart label={`${name}, believed and refused by epoch`} height={170} stacked times={rows.map(([start]) => start / 1000)} axis={short} lines={[line('Accepted', 1, 0), line('Refused', 3, 1)]} />;
}

/** The newest stretches first; of many, the others on request. */
function Refusals({ of }: { of: Schemas['Stretch'][] }) {
  const line = (one: Schemas['Stretch']) => <p key={one.start} class="small refused"><Tag state="refused" /> <Time at={one.start} />: {sentence(one.sentence)}</p>;
  const newest = [...of].reverse();
  const rest = newest.slice(STRETCHES_SHOWN);
  return (
    <>
      {newest.slice(0, STRETCHES_SHOWN).map(line)}
      {rest.length > 0 && <details class="as-table"><summary>{count(rest.length)} stretches before</summary>{rest.map(line)}</details>}
    </>
  );
}

function Earned({ of }: { of: Schemas['Device'] }) {
  const { decimals, symbol } = useToken();
  const rows = of.epochs;
  return (
    <Card title={`Earnings per epoch, ${symbol}`} tools={<a class="small" href={`/v1/devices/${of.id}/earnings.csv`} download>Download CSV</a>}>
      {rows.length === 0 ? <Empty title="No epoch was judged yet." /> : (
        <Chart label="Earnings per epoch" times={rows.map((row) => Date.parse(row.start) / 1000)} axis={short} height={160}
          lines={[{ name: `Token, ${symbol}`, kind: 'bar', tone: 1, text: (value) => `${value.toFixed(4)} ${symbol}`, values: rows.map((row) => toNumber(row.token, decimals)) }]} />
      )}
    </Card>
  );
}

function Findings({ of }: { of: Schemas['Device'] }) {
  const { query } = useLocation();
  const refusedOnly = query.verdict === 'refused';
  const list = useGet('/v1/devices/{id}/findings', { params: { path: { id: of.id }, query: { limit: 12, cursor: query.cursor, ...(refusedOnly && { verdict: 'refused' as const }) } } });
  return (
    <Block title="Findings" from={list} flush tools={<a class="small" href={`/devices/${of.id}${refusedOnly ? '' : '?verdict=refused'}`}>{refusedOnly ? 'Show all' : 'Only refused'}</a>}
      empty={(data) => (data.items.length === 0 ? <Empty title={refusedOnly ? 'None of its reports was refused.' : 'None of its reports was judged yet.'} /> : undefined)}>
      {(data) => (
        <>
          <Table label="Findings" rows={data.items} rowKey={(row) => row.report} columns={[
            { head: 'Epoch', lead: true, cell: (row) => <><a href={`/audit/${row.network}/${row.epoch}`}>{count(row.epoch)}</a> <span class="muted small"><Time at={row.start} /></span></> },
            { head: 'Verdict', cell: (row) => <Tag state={row.verdict} /> },
            { head: 'Why', wrap: true, cell: (row) => row.sentence },
            { head: 'Units', num: true, cell: (row) => <Units micro={row.micro_units} /> },
          ]} />
          <Pager next={data.next_cursor} csv={`/v1/devices/${of.id}/findings.csv`} />
        </>
      )}
    </Block>
  );
}
