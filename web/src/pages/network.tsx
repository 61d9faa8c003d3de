/** One network: what it pays for, by which rules, where, and what its operators make of it. */
import { useMemo } from 'preact/hooks';
import { useLocation, useRoute } from 'preact-iso';
import { useGet } from '../api/use';
import type { Schemas } from '../api/client';
import { count, decimal, dollars, measured } from '../format/amounts';
import { fullest, points, shaded } from '../map/places';
import { useTitle } from '../title';
import { Block, Card, Empty, Subject } from '../ui/block';
import { CellLegend, PlaceMap } from '../ui/map';
import { ProvenRecord } from '../ui/proven';
import { Pager, Pairs, Stat, Stats, Table } from '../ui/table';
import { Credits, Define, Id, Tag, Time, Token, Units, Usd, definition } from '../ui/values';
import { isHex, isNumber, isText } from '../verify/record';
import { Income, NewcomersPayback } from './network-income';

export function Network() {
  const { id = '' } = useRoute().params;
  const network = useGet('/v1/networks/{id}', { params: { path: { id } } });
  useTitle(network.data?.name ?? 'Network');
  return <Subject from={network}>{(data) => <Page of={data} />}</Subject>;
}

/** The fields of a network's record that the page shows. */
const holds = (of: Schemas['Network']) => (record: unknown[]) =>
  isNumber(record[0], of.number) && isText(record[1], of.name) && isText(record[2], of.vertical) && isHex(record[3], of.founder) && isNumber(record[11], of.treasury_token) && isNumber(record[12], of.treasury_stable);

function Page({ of }: { of: Schemas['Network'] }) {
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs"><a href="/networks">Networks</a></p>
          <h1>{of.name}</h1>
          <p class="lead">One unit is a {of.unit}. Customers pay {dollars(of.price_micro_usd)} for a million {of.shape === 'stream' ? 'packets' : 'rows'}.{of.closes !== null && ` It closes with epoch ${of.closes}.`}</p>
          <p><ProvenRecord kind="network" id={of.id} height={of.at.height} what="name, founder and treasury" same={holds(of)} /></p>
        </div>
        <div class="actions">
          <a class="button" href={`/customers?network=${of.id}`}>{of.shape === 'stream' ? 'Buy packets' : 'Buy data'}</a>
          <a class="button" href={`/audit?network=${of.id}`}>Audit its epochs</a>
        </div>
      </div>
      <Stats>
        <Stat label="Devices reporting" sub={`of ${count(of.devices)} in epoch ${of.last_epoch === null ? '–' : count(of.last_epoch!)}`}>{count(of.reporting)}</Stat>
        <Stat label="Reports accepted" sub={`${count(of.refused)} refused`}>{count(of.accepted)}</Stat>
        <Stat label="Customers paid" sub={<>and <Usd micro={String(BigInt(of.usage_now.stable) + BigInt(of.usage_now.burned))} /> in the epoch that runs</>}><Usd micro={of.customers_paid} /></Stat>
        <Stat label="Operators’ income" sub={`${count(of.operators)} operators`}><Usd micro={of.usd_micro} /></Stat>
        <Stat label="Cells with fresh data" define={<Define of="fresh data" text={definition(of.definitions, 'fresh')} />} sub={`${count(of.stale)} without`}>{count(of.fresh)}</Stat>
      </Stats>
      <div class="grid">
        <Coverage of={of} />
        <Income of={of} />
        <Pool of={of} />
        <NewcomersPayback of={of} />
        <Rules of={of} />
        <Card class="half" title="Parameters" flush>
          <Table label="Parameters" rows={of.parameters} rowKey={(row) => row.name} columns={[
            { head: 'Parameter', lead: true, wrap: true, cell: (row) => <>{row.name}<div class="muted small">{row.sentence}</div></> },
            { head: 'Value', num: true, cell: (row) => `${row.value} ${row.unit}` },
          ]} />
        </Card>
        <Card class="half" title="Verifiers" flush>
          {of.verifiers.length === 0 ? <Empty title="No verifier has a bond." /> : (
            <Table label="Verifiers" rows={of.verifiers} rowKey={(row) => row.id} columns={[
              { head: 'Verifier', lead: true, cell: (row) => <Id id={row.id} href={`/ledger/accounts/${row.id}`} /> },
              { head: 'Address', wrap: true, cell: (row) => row.url ?? <span class="muted">none told</span> },
              { head: 'Bond', num: true, cell: (row) => <Token base={row.bond} /> },
            ]} />
          )}
        </Card>
        <Devices of={of} />
        <Orders of={of} />
      </div>
    </>
  );
}

function Coverage({ of }: { of: Schemas['Network'] }) {
  const { route } = useLocation();
  const cells = useGet('/v1/networks/{id}/cells.geojson', { params: { path: { id: of.id } } });
  const devices = useGet('/v1/networks/{id}/devices.geojson', { params: { path: { id: of.id } } });
  const shade = useMemo(() => shaded(cells.data), [cells.data]);
  const dots = useMemo(() => points(devices.data), [devices.data]);
  return (
    <Block title="Coverage" from={cells} flush empty={(data) => (data.features.length === 0 ? <Empty title="No device stands anywhere yet." /> : undefined)}>
      {() => (
        <PlaceMap label={`Map of ${of.name}`} cells={shade} devices={dots} legend={<CellLegend what={`Units of the newest judged epoch: ${of.unit}`} most={decimal(fullest(cells.data), 6, 2)} />}
          onPick={(feature, layer) => layer === 'devices' && route(`/devices/${String(feature.properties?.id)}`)}
          describe={(feature, layer) => (layer === 'devices' ? <><b>Device {feature.properties?.number}</b> · {feature.properties?.state}</> : <Cell of={feature.properties as Schemas['CellRow']} last={of.last_epoch} />)} />
      )}
    </Block>
  );
}

function Cell({ of, last }: { of: Schemas['CellRow']; last: number | null | undefined }) {
  // MapLibre hands nested properties over as text.
  const values = (typeof of.values === 'string' ? JSON.parse(of.values) : of.values) as Schemas['CellValue'][];
  return (
    <>
      <b>{decimal(of.units, 6, 2)} units</b>, {of.reporting} of {of.devices} devices
      {values.map((value) => <div key={value.quantity}>{value.name}: median {measured(value.median, value.decimals, value.unit)}</div>)}
      <div class="muted">{of.fresh_epoch === last ? 'fresh' : of.fresh_epoch === null ? 'nothing accepted yet' : `last accepted in epoch ${of.fresh_epoch}`}</div>
    </>
  );
}

function Pool({ of }: { of: Schemas['Network'] }) {
  const { pool } = of;
  return (
    <Card class="half" title={pool ? `Pool of epoch ${count(of.pool_epoch!)}` : 'Pool'} tools={pool && <Tag state={pool.state} />}>
      {pool ? (
        <Pairs items={[
          ['For being there', <Token base={pool.availability} />],
          ['For usage', <Token base={pool.usage} />],
          ['Cash from customers', <Usd micro={pool.cash} />],
          ['For the verifiers', <Usd micro={pool.verifiers} />],
          ['Customers spent', <Credits credits={String(BigInt(pool.spent_stable) + BigInt(pool.spent_burned))} />],
          ['Carried on', <><Token base={of.carry_token} /> and <Usd micro={of.carry_stable} /></>],
          ['Treasury', <><Token base={of.treasury_token} /> and <Usd micro={of.treasury_stable} />, <Token base={of.allowance} /> for fees of its devices</>],
        ]} />
      ) : <Empty title="No epoch has closed yet." />}
    </Card>
  );
}

function Rules({ of }: { of: Schemas['Network'] }) {
  return (
    <Card title="Rules: why a report is not paid" flush note="“Weighs” is what an epoch refused for it takes from a device’s reputation, in percent of what a believed epoch gives.">
      <Table label="Rules" rows={of.rules} rowKey={(row) => row.code} columns={[
        { head: 'Rule', lead: true, wrap: true, cell: (row) => row.sentence.charAt(0).toUpperCase() + row.sentence.slice(1) },
        { head: 'Limit', num: true, cell: (row) => (row.limit === null || row.limit === undefined ? <span class="muted" title="It depends on what is measured; a finding names it.">by quantity</span> : limitText(row.limit, row.unit)) },
        { head: 'Weighs', num: true, cell: (row) => (row.blame_percent === 0 ? <span class="muted">nothing</span> : `${row.blame_percent} %`) },
        { head: 'Refused so far', num: true, cell: (row) => count(row.count) },
      ]} />
    </Card>
  );
}

/** `1 readings` is one reading; seconds stay `s`. */
function limitText(limit: string, unit: string): string {
  return limit === '1' && /[a-z]{3,}s$/.test(unit) ? `1 ${unit.slice(0, -1)}` : `${limit} ${unit}`;
}

function Devices({ of }: { of: Schemas['Network'] }) {
  const { query } = useLocation();
  const list = useGet('/v1/networks/{id}/devices', { params: { path: { id: of.id }, query: { limit: 20, cursor: query.cursor } } });
  return (
    <Block title="Devices" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="No device has joined yet." /> : undefined)}>
      {(data) => (
        <>
          <DeviceTable rows={data.items} />
          <Pager next={data.next_cursor} csv={`/v1/networks/${of.id}/devices.csv`} />
        </>
      )}
    </Block>
  );
}

export function DeviceTable({ rows }: { rows: Schemas['DeviceRow'][] }) {
  return (
    <Table label="Devices" rows={rows} rowKey={(row) => row.id} columns={[
      { head: 'Device', lead: true, cell: (row) => <><a href={`/devices/${row.id}`}>Device {row.number}</a> <span class="muted"><Id id={row.id} /></span></> },
      { head: 'State', cell: (row) => <Tag state={row.state} /> },
      { head: 'Uptime', num: true, cell: (row) => (row.uptime_bps === null || row.uptime_bps === undefined ? <span class="muted">–</span> : `${Math.round(row.uptime_bps / 100)} %`) },
      { head: 'Refused', num: true, cell: (row) => count(row.refused) },
      { head: 'Units in 24 epochs', num: true, cell: (row) => <Units micro={row.units_day} /> },
      { head: 'Operator', cell: (row) => <a href={`/operators/${row.owner}`}>Account {row.owner_number}</a> },
    ]} />
  );
}

function Orders({ of }: { of: Schemas['Network'] }) {
  const list = useGet('/v1/orders', { params: { query: { network: of.id, state: 'open', limit: 10 } } });
  return (
    <Block title="Open orders" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="No order is open." /> : undefined)}>
      {(data) => (
        <Table label="Open orders" rows={data.items} rowKey={(row) => row.id} columns={[
          { head: 'Order', lead: true, cell: (row) => <Id id={row.id} href={`/ledger/orders/${row.id}`} /> },
          { head: 'Customer', cell: (row) => <Id id={row.customer} href={`/customers/${row.customer}`} /> },
          { head: 'Kind', cell: (row) => row.shape },
          { head: 'Held', num: true, cell: (row) => <Credits credits={row.held} /> },
          { head: 'Paid so far', num: true, cell: (row) => <Credits credits={row.settled} /> },
          { head: 'Ends', cell: (row) => <Time at={row.expires} /> },
        ]} />
      )}
    </Block>
  );
}
