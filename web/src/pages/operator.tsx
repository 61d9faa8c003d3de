/** One operator: devices, income by day, payback, alerts and the tax export. */
import { useMemo } from 'preact/hooks';
import { useLocation, useRoute } from 'preact-iso';
import { useGet } from '../api/use';
import type { Schemas } from '../api/client';
import { useToken } from '../chain';
import { count, dollars, percent, toNumber } from '../format/amounts';
import { points } from '../map/places';
import { useTitle } from '../title';
import { Block, Card, Empty, Subject, sentence } from '../ui/block';
import { Chart, short } from '../ui/chart';
import { PlaceMap } from '../ui/map';
import { ProvenRecord } from '../ui/proven';
import { Pager, Stat, Stats, Table } from '../ui/table';
import { Define, Id, Tag, Time, Token, Usd, definition } from '../ui/values';
import { isNumber } from '../verify/record';
import { DeviceTable } from './network';
import { Webhook } from './operator-webhook';
import { Payback } from './operator-payback';

export function Operator() {
  const { id = '' } = useRoute().params;
  const operator = useGet('/v1/operators/{id}', { params: { path: { id } } });
  useTitle(operator.data ? `Operator ${operator.data.number}` : 'Operator');
  return <Subject from={operator}>{(data) => <Page of={data} />}</Subject>;
}

function Page({ of }: { of: Schemas['Operator'] }) {
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs"><a href="/operators">Operators</a></p>
          <h1>Account {of.number}</h1>
          <p class="lead"><Id id={of.id} href={`/ledger/accounts/${of.id}`} copy /></p>
          <p><ProvenRecord kind="account" id={of.id} height={of.at.height} what="balances" same={([number, , , token, stable]) => isNumber(number, of.number) && isNumber(token, of.balance_token) && isNumber(stable, of.balance_stable)} /></p>
        </div>
        <ul class="states">{of.states.map((one) => <li key={one.state}><Tag state={one.state} label={`${count(one.count)} ${one.state}`} /></li>)}</ul>
      </div>
      <Stats>
        <Stat label="Earned" define={<Define of="Earned" text={definition(of.definitions, 'usd_micro')} />} sub="worth at receipt"><Usd micro={of.usd_micro} /></Stat>
        <Stat label="Paid by customers" define={<Define of="Paid by customers" text={definition(of.definitions, 'outside_bps')} />} sub={<><Usd micro={of.usage_usd_micro} /> of it</>}>{percent(of.outside_bps)}</Stat>
        <Stat label="Token" sub={<>holds <Token base={of.balance_token} /></>}><Token base={of.token} /></Stat>
        <Stat label="Stablecoin" sub={of.payout_choice_bps === null || of.payout_choice_bps === undefined ? 'paid as earned' : `wants ${percent(of.payout_choice_bps)} so`}><Usd micro={of.stable} /></Stat>
      </Stats>
      <div class="grid">
        <Income of={of} />
        <Alerts of={of} />
        <Payback of={of} />
        <Webhook account={of.id} />
        <Devices of={of} />
        <Tax of={of} />
      </div>
    </>
  );
}

function Income({ of }: { of: Schemas['Operator'] }) {
  const { decimals, symbol } = useToken();
  const usd = (value: number) => dollars(BigInt(Math.round(value * 1e6)));
  return (
    <Card class="two-thirds" title="Income by day" checked={of.checked} tools={<a class="small" href={`/v1/operators/${of.id}/income.csv`} download>Download CSV</a>}>
      {of.days.length === 0 ? <Empty title="No income yet.">It comes when the first epoch of its devices is paid.</Empty> : (
        <Chart label="Income by day" stacked days times={of.days.map((day) => Date.parse(`${day.day}T12:00:00Z`) / 1000)} axis={(value) => `$${short(value)}`} height={220} lines={[
          { name: 'Customers’ usage', kind: 'bar', tone: 1, text: usd, values: of.days.map((day) => toNumber(day.usage_usd_micro, 6)) },
          { name: 'Issued for being there', kind: 'bar', tone: 2, text: usd, values: of.days.map((day) => toNumber(String(BigInt(day.usd_micro) - BigInt(day.usage_usd_micro)), 6)) },
        ]} />
      )}
      {of.days.length > 0 && <p class="hint">Dollars at the price of the epoch each token was earned in. As received: {count(of.days.reduce((sum, day) => sum + (toNumber(day.token, decimals) ?? 0), 0))} {symbol} and {usd(of.days.reduce((sum, day) => sum + (toNumber(day.stable, 6) ?? 0), 0))} of stablecoin in these days.</p>}
    </Card>
  );
}

function Alerts({ of }: { of: Schemas['Operator'] }) {
  const list = useGet('/v1/operators/{id}/alerts', { params: { path: { id: of.id }, query: { limit: 10 } } });
  return (
    <Block class="third" title="Alerts" from={list} tools={<a class="small" href={`/v1/operators/${of.id}/alerts`}>As a feed</a>}
      empty={(data) => (data.items.length === 0 ? <Empty title="Nothing is wrong." /> : undefined)}>
      {(data) => (
        <ul class="feed">
          {data.items.map((row) => (
            <li key={row.id}><Tag state={row.kind === 'device_back' ? 'earning' : row.kind.replace('device_', '')} /><span><a href={`/devices/${row.device}`}>{sentence(row.sentence)}</a><br /><span class="muted small"><Time at={row.time} /></span></span></li>
          ))}
        </ul>
      )}
    </Block>
  );
}

function Devices({ of }: { of: Schemas['Operator'] }) {
  const { query, route } = useLocation();
  const list = useGet('/v1/operators/{id}/devices', { params: { path: { id: of.id }, query: { limit: 15, cursor: query.cursor } } });
  const places = useGet('/v1/operators/{id}/devices.geojson', { params: { path: { id: of.id }, query: {} } });
  const dots = useMemo(() => points(places.data), [places.data]);
  return (
    <Block title="Devices" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="It has no device now." /> : undefined)}>
      {(data) => (
        <>
          <PlaceMap small label="Map of its devices; the same are in the table below" devices={dots} onPick={(feature) => route(`/devices/${String(feature.properties?.id)}`)}
            describe={(feature) => <><b>Device {feature.properties?.number}</b> · {feature.properties?.state}</>} />
          <DeviceTable rows={data.items} />
          <Pager next={data.next_cursor} csv={`/v1/operators/${of.id}/devices.csv`} />
        </>
      )}
    </Block>
  );
}

function Tax({ of }: { of: Schemas['Operator'] }) {
  const { query } = useLocation();
  const list = useGet('/v1/operators/{id}/tax', { params: { path: { id: of.id }, query: { limit: 10, cursor: query.tax } } });
  return (
    <Block title="For the books" from={list} flush note="First in, first out: what leaves is taken from what came first. Not tax advice."
      empty={(data) => (data.items.length === 0 ? <Empty title="Nothing was received yet." /> : undefined)}>
      {(data) => (
        <>
          <Table label="Received and disposed of" rows={data.items} rowKey={(row, at) => `${row.time}${at}`} columns={[
            { head: 'When', lead: true, cell: (row) => <Time at={row.time} /> },
            { head: 'What', wrap: true, cell: (row) => sentence(row.sentence) },
            { head: 'Amount', num: true, cell: (row) => (row.asset === 'token' ? <Token base={row.amount} /> : <Usd micro={row.amount} />) },
            { head: 'Worth', num: true, cell: (row) => <Usd micro={row.usd_micro} /> },
            { head: 'Cost', num: true, cell: (row) => <Usd micro={row.cost_usd_micro} /> },
            { head: 'Gain', num: true, cell: (row) => <Usd micro={row.gain_usd_micro} /> },
          ]} />
          <Pager name="tax" next={data.next_cursor} csv={`/v1/operators/${of.id}/tax.csv`} />
        </>
      )}
    </Block>
  );
}
