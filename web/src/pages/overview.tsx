/** What is measured, who earns and who pays: to be seen within five seconds. */
import { useMemo } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { useGet } from '../api/use';
import type { Schemas } from '../api/client';
import { useToken } from '../chain';
import { count, decimal, dollars, percent, toNumber } from '../format/amounts';
import { useTitle } from '../title';
import { Block, Subject } from '../ui/block';
import { Chart, short } from '../ui/chart';
import { CellLegend, PlaceMap } from '../ui/map';
import { Bars } from '../ui/table';
import { Credits, Define, Token, definition } from '../ui/values';
import { fullest, points, shaded } from '../map/places';

type Data = Schemas['Overview'];

export function Overview() {
  useTitle('');
  const networks = useGet('/v1/networks', { params: { query: { limit: 50 } } });
  const overview = useGet('/v1/overview', {});
  return (
    <>
      <h1 class="visually-hidden">Overview</h1>
      <Subject from={overview}>{(data) => <Answers data={data} networks={networks.data?.items ?? []} />}</Subject>
      <div class="grid">
        <Where networks={networks.data?.items ?? []} />
        <Block class="half" title="Income of operators" from={overview} empty={(data) => noEpoch(data)}
          tools={<Define of="income" text={overview.data && definition(overview.data.definitions, 'usage_usd_micro')} />}>
          {(data) => <Income data={data} />}
        </Block>
        <Block class="half" title="Reports" from={overview} empty={(data) => noEpoch(data)}>{(data) => <Reports data={data} />}</Block>
        <div class="column half">
          <Block title="Why reports are refused" from={overview}
            empty={(data) => (data.refused_by.length === 0 ? <p class="state">No report was refused yet.</p> : undefined)}>
            {(data) => (
              <Bars rows={data.refused_by.slice(0, 8).map((reason) => ({
                key: `${reason.vertical}${reason.code}`, value: reason.count, text: count(reason.count), name: reason.sentence,
              }))} />
            )}
          </Block>
          <Block title="Credits" from={overview}>{(data) => <CreditsBought data={data} />}</Block>
        </div>
        <Supply />
      </div>
    </>
  );
}

function noEpoch(data: Data) {
  return data.series.length === 0 ? <p class="state"><b>No epoch has closed yet.</b>Figures come with the first.</p> : undefined;
}

/** Three sentences with one number each. */
function Answers({ data, networks }: { data: Data; networks: Schemas['NetworkRow'][] }) {
  const { symbol, decimals } = useToken();
  const total = data.reports_accepted + data.reports_refused;
  const define = (name: string) => <Define of={name === 'paid' ? 'Earned' : 'Paid by customers'} text={definition(data.definitions, name)} />;
  return (
    <dl class="answers">
      <div>
        <dt>Measured</dt>
        <dd>
          <b>{count(data.devices_reporting)} <small>of {count(data.devices_registered)} devices report</small></b>
          {networks.slice(0, 3).map((network) => <p key={network.id}><a href={`/networks/${network.id}`}>{network.name}</a> <span class="muted">{network.unit}</span></p>)}
          {networks.length > 3 && <p><a href="/networks">{count(networks.length - 3)} more</a></p>}
          {total > 0 && <p>{percent(Math.round((10_000 * data.reports_accepted) / total))} of {count(total)} reports were believed.</p>}
        </dd>
      </div>
      <div>
        <dt>Earned {define('paid')}</dt>
        <dd>
          <b>{dollars(data.paid.usd_micro)} <small>at receipt</small></b>
          <p>{count(data.operators)} operators got {decimal(data.paid.token, decimals, 0)} {symbol}{BigInt(data.paid.stable) > 0n && <> and {dollars(data.paid.stable)} in stablecoin</>}.</p>
        </dd>
      </div>
      <div>
        <dt>Paid by customers {define('outside_bps')}</dt>
        <dd>
          <b>{dollars(data.credits_spent)} <small>spent so far</small></b>
          <p>{released(data)}</p>
          <p>{outside(data, symbol)}</p>
        </dd>
      </div>
    </dl>
  );
}

/** What is spent reaches operators when the epoch it was spent in is released: until then the two figures differ. */
function released({ credits_spent: spent, customers_paid: paid }: Data): string {
  if (BigInt(spent) === 0n) return '';
  if (BigInt(paid) >= BigInt(spent)) return 'All of it has reached operators.';
  return `${BigInt(paid) === 0n ? 'None' : dollars(paid)} of it has reached operators by now; the rest comes to them when its epoch is paid out.`;
}

/** How much of operators' income is customers' money, in words. */
function outside({ outside_bps: part, customers }: Data, symbol: string): string {
  if (part === null || part === undefined) return 'No income of operators yet to compare it with.';
  if (part === 0) return `What operators earned so far is newly issued ${symbol}.`;
  return `${percent(part)} of what operators earned came from ${customers === 1 ? 'one customer' : `${count(customers)} customers`}; the rest is newly issued ${symbol}.`;
}

/** The world, or one network. */
function Where({ networks }: { networks: Schemas['NetworkRow'][] }) {
  const { query, route } = useLocation();
  const chosen = networks.find((network) => network.id === query.network);
  const world = query.network === 'world';
  const one = world ? undefined : (chosen ?? networks[0]);
  const id = one?.id;
  const cells = useGet('/v1/networks/{id}/cells.geojson', id ? { params: { path: { id } } } : null);
  const devices = useGet('/v1/devices.geojson', { params: { query: {} } });
  const shade = useMemo(() => shaded(cells.data), [cells.data]);
  const dots = useMemo(() => points(devices.data), [devices.data]);
  const pick = networks.length > 0 && (
    <select aria-label="What the map shows" value={id ?? 'world'} onChange={(event) => route(`/?network=${event.currentTarget.value}`)}>
      <option value="world">The world</option>
      {networks.map((network) => <option key={network.id} value={network.id}>{network.name}</option>)}
    </select>
  );
  return (
    <Block title={one ? `Coverage of ${one.name}` : 'All devices'} from={devices} flush tools={pick && <span class="pick">{pick}</span>}
      note={one && <>Cells are shaded by what was believed in them in the newest judged epoch. <a href={`/networks/${one.id}`}data-all>All of {one.name}</a></>}>
      {() => (
        <PlaceMap label={`Map of ${one?.name ?? 'all devices'}; the same places are in the tables of the network’s page`} cells={one && shade} devices={dots} world={world}
          legend={<CellLegend what={one ? `Units: ${one.unit}` : 'Units'} {...(one && { most: decimal(fullest(cells.data), 6, 2) })} />}
          onPick={(feature, layer) => layer === 'devices' && route(`/devices/${String(feature.properties?.id)}`)}
          describe={(feature, layer) => {
            const of = feature.properties ?? {};
            return layer === 'devices'
              ? <><b>Device {of.number}</b> · {of.state}<br />{decimal(String(of.units_day ?? 0), 6, 2)} units in a day</>
              : <><b>{decimal(String(of.units ?? 0), 6, 2)} units</b><br />{of.reporting} of {of.devices} devices, {of.refused} refused</>;
          }} />
      )}
    </Block>
  );
}

const seconds = (rows: Data['series']) => rows.map((row) => Date.parse(row.start) / 1000);

/** Usage beside emission, in dollars at the price of the epoch. */
function Income({ data }: { data: Data }) {
  const { decimals } = useToken();
  const usd = (row: Data['series'][number], token: string) => (toNumber(token, decimals) ?? 0) * (Number(row.price_mid ?? 0) / 1e8);
  const text = (value: number) => `$${value.toFixed(2)}`;
  return (
    <>
      <Chart label="Income of operators by epoch" times={seconds(data.series)} stacked axis={(value) => `$${short(value)}`} lines={[
        { name: 'Customers’ usage', kind: 'bar', tone: 1, text, values: data.series.map((row) => usd(row, row.usage) + (toNumber(row.cash, 6) ?? 0)) },
        { name: 'Issued for being there', kind: 'bar', tone: 2, text, values: data.series.map((row) => usd(row, row.availability)) },
      ]} />
    </>
  );
}

function Reports({ data }: { data: Data }) {
  const text = (value: number) => count(value);
  return (
    <Chart label="Reports by epoch" times={seconds(data.series)} stacked axis={short} lines={[
      { name: 'Accepted', kind: 'bar', tone: 1, text, values: data.series.map((row) => row.accepted) },
      { name: 'Refused', kind: 'bar', tone: 3, text, values: data.series.map((row) => row.refused) },
    ]} />
  );
}

function CreditsBought({ data }: { data: Data }) {
  return (
    <Bars good rows={[
      { key: 's', name: 'Bought with stablecoin', value: Number(data.credits_bought_stable), text: <Credits credits={data.credits_bought_stable} /> },
      { key: 'b', name: 'Bought by burning token', value: Number(data.credits_bought_burned), text: <Credits credits={data.credits_bought_burned} /> },
      { key: 'u', name: 'Spent on service', value: Number(data.credits_spent), text: <Credits credits={data.credits_spent} /> },
    ]} />
  );
}

function Supply() {
  const supply = useGet('/v1/series/{name}', { params: { path: { name: 'supply' }, query: { step: 'epoch' } } });
  const overview = useGet('/v1/overview', {});
  return (
    <Block class="half" title="Supply" from={supply} empty={(data) => (data.points.length === 0 ? <p class="state">No epoch has closed yet.</p> : undefined)}
      tools={<Define of="supply" text={supply.data?.sentence} />}
      note={overview.data && <>Issued <Token base={overview.data.minted} />, burned <Token base={overview.data.tokens_burned} /></>}>
      {(data) => (
        <Chart label="Supply of token" height={310} near times={data.points.map((point) => Date.parse(point.time) / 1000)} axis={short}
          lines={[{ name: 'Supply', tone: 1, kind: 'line', text: (value) => `${value.toFixed(2)} ${data.unit}`, values: data.points.map((point) => toNumber(point.value, data.decimals)) }]} />
      )}
    </Block>
  );
}

