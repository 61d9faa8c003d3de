/** Choose network, quantity, cells and time; see the price; sign; download. Fields come from the network's kind: none is named here. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { useGet } from '../api/use';
import { type Refusal, refusalOf, Refused } from '../api/client';
import { useChain } from '../chain';
import { count } from '../format/amounts';
import { shaded } from '../map/places';
import { Card, Empty, sentence } from '../ui/block';
import { PlaceMap } from '../ui/map';
import { Pairs } from '../ui/table';
import { Credits, Id, Time } from '../ui/values';
import { type Asked, type Format, type Purchase, type Quote, begin, endOf, fetchFile, isWhatWasAsked, priceOf, quoteFor, remember, untilFinal } from '../wallet/purchase';
import { Review } from '../wallet/review';
import { saveAs } from '../wallet/save';
import { type Prepared, prepare, walletOf } from '../wallet/wallet';
import { Examples } from './customer-examples';
import { Keys } from './customer-key';
import { Packets } from './customer-packets';

const DAY_MS = 86_400_000;
const local = (ms: number) => new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
const rfc = (text: string) => new Date(text).toISOString().replace('.000Z', 'Z');

export function BuyData() {
  const { query, route } = useLocation();
  const chain = useChain();
  const networks = useGet('/v1/networks', { params: { query: { limit: 50 } } });
  const rows = networks.data?.items ?? [];
  const id = (rows.find((one) => one.id === query.network) ?? rows[0])?.id;
  const network = useGet('/v1/networks/{id}', id ? { params: { path: { id } } } : null);
  const cells = useGet('/v1/networks/{id}/cells.geojson', id ? { params: { path: { id } } } : null, false);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [quantity, setQuantity] = useState('');
  const [span, setSpan] = useState({ from: '', to: '' });
  const [payer, setPayer] = useState('');
  const [apiKey, setApiKey] = useState<{ network: string; text: string }>();
  const wallet = chain && walletOf(chain.chain);
  useEffect(() => setChosen(new Set()), [id]);
  useEffect(() => setQuantity(network.data?.fields[0]?.name ?? ''), [network.data?.id]);
  const end = chain?.epoch ? Date.parse(chain.epoch.start) : undefined;
  useEffect(() => void (end && span.from === '' && setSpan({ from: local(end - DAY_MS), to: local(end) })), [end]);
  useEffect(() => void (wallet && payer === '' && setPayer(wallet.account)), [wallet?.account]);
  const shade = useMemo(() => shaded(cells.data, chosen), [cells.data, chosen]);
  const toggle = (cell: string) => setChosen((before) => {
    const next = new Set(before);
    if (!next.delete(cell)) next.add(cell);
    return next;
  });
  if (!id || !chain) return <Card title="Buy data"><Empty title={networks.state === 'loading' ? 'Loading…' : 'There is no network to buy from yet.'} /></Card>;
  const asked: Asked | undefined = span.from && span.to && quantity ? { network: id, cells: [...chosen].sort(), quantity, from: rfc(span.from), to: rfc(span.to) } : undefined;
  const choice = <label>Network<select value={id} onChange={(event) => route(`/customers?network=${event.currentTarget.value}`)}>{rows.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}</select></label>;
  if (network.data?.shape === 'stream') return <div class="grid"><Packets of={network.data} choice={choice} /></div>;
  return (
    <div class="grid buy">
      <Card class="two-thirds" title="Where" flush note={chosen.size === 0 ? 'Every cell, unless you pick some on the map.' : <>{count(chosen.size)} cells picked. <button type="button" class="plain" onClick={() => setChosen(new Set())}>Take all again</button></>}>
        <PlaceMap label="Cells to buy data of; the list beside picks the same" cells={shade} onPick={(feature, layer) => layer === 'cells' && toggle(String(feature.properties?.cell))}
          describe={(feature) => <><b>{chosen.has(String(feature.properties?.cell)) ? 'Picked' : 'Press to pick'}</b><br />{feature.properties?.reporting} of {feature.properties?.devices} devices report</>} />
      </Card>
      <Card class="third" title="Buy data">
        <div class="form">
          {choice}
          <label>What<select value={quantity} onChange={(event) => setQuantity(event.currentTarget.value)}>{network.data?.fields.map((field) => <option key={field.quantity} value={field.name}>{field.name}{field.unit && `, ${field.unit}`}</option>)}</select></label>
          <label>From<input type="datetime-local" value={span.from} onInput={(event) => setSpan({ ...span, from: event.currentTarget.value })} /></label>
          <label>To<input type="datetime-local" value={span.to} onInput={(event) => setSpan({ ...span, to: event.currentTarget.value })} /></label>
          <details class="as-table">
            <summary>Pick cells from a list</summary>
            <ul class="cell-list">{(cells.data?.features as { properties: { cell: string; devices: number } }[] | undefined)?.map(({ properties }) => (
              <li key={properties.cell}><label class="check-line"><input type="checkbox" checked={chosen.has(properties.cell)} onChange={() => toggle(properties.cell)} /><code>{properties.cell}</code> {count(properties.devices)}</label></li>
            ))}</ul>
          </details>
          <label>Account that pays<input value={payer} onInput={(event) => setPayer(event.currentTarget.value)} spellcheck={false} autocomplete="off" /><span class="hint">{wallet ? 'Yours, unless you change it.' : <>You have none in this browser. <a href="/wallet">Make one</a>.</>}</span></label>
          <Buy asked={asked} payer={payer.trim()} />
        </div>
      </Card>
      {asked && <Examples asked={asked} apiKey={apiKey?.network === id ? apiKey.text : undefined} />}
      {asked && <Keys asked={asked} apiKey={apiKey?.network === id ? apiKey.text : undefined} onMade={(text) => setApiKey({ network: id, text })} />}
    </div>
  );
}

function Buy({ asked, payer }: { asked: Asked | undefined; payer: string }) {
  const chain = useChain()!;
  const wallet = walletOf(chain.chain);
  const [quote, setQuote] = useState<Quote>();
  const [purchase, setPurchase] = useState<{ of: Purchase; prepared: Prepared }>();
  const [told, setTold] = useState('');
  const [order, setOrder] = useState<{ id: string; end: string; holds: string }>();
  const [refusal, setRefusal] = useState<Refusal>();
  const [format, setFormat] = useState<Format>('csv');
  useEffect(() => {
    setQuote(undefined);
    setOrder(undefined);
    setTold('');
  }, [JSON.stringify(asked), payer]);
  const wrong = (error: unknown) => {
    setTold('');
    setRefusal(error instanceof Refused ? refusalOf(error) : { code: 'local', message: error instanceof Error ? error.message : 'it did not work', hint: 'Nothing was paid that was not delivered.' });
  };
  const start = () => setRefusal(undefined);
  const ask = () => {
    start();
    if (asked) (payer ? quoteFor(payer, asked) : priceOf(asked)).then((given) => (isWhatWasAsked(asked, given) ? setQuote(given) : wrong(new Error('the quote is for something else than was asked'))), wrong);
  };
  const sign = () => {
    start();
    if (!quote || !wallet) return;
    const of = begin(quote, chain.time);
    prepare(wallet, of.body, chain.fees).then((prepared) => setPurchase({ of, prepared }), wrong);
  };
  const signed = (id: string) => {
    if (!purchase) return;
    const { of } = purchase;
    remember(id, of);
    setPurchase(undefined);
    setTold('Waiting for the order to be final…');
    untilFinal(id).then(() => { setOrder({ id, end: endOf(of), holds: of.quote.price_credits }); return download(id); }).catch(wrong);
  };
  const download = async (id: string) => {
    setTold('Fetching the file…');
    saveAs(await fetchFile(id, format), `cairn-${quote?.query.quantity ?? 'data'}.${format}`);
    setTold('Here it is. Fetching it again costs nothing.');
  };
  return (
    <>
      <div><button type="button" class={quote ? '' : 'primary'} disabled={!asked || !/^([0-9a-f]{64})?$/.test(payer)} onClick={ask}>See the price</button></div>
      {refusal && <p class="banner bad" role="alert">{sentence(refusal.message)} {sentence(refusal.hint)}</p>}
      {quote && (
        <>
          <Pairs items={[
            ['Price', <b><Credits credits={quote.price_credits} /></b>],
            ['Rows', `${count(quote.rows)} of ${count(quote.devices)} devices`],
            ['Data until', <Time at={quote.query.to} />],
            ['Valid until', <Time at={quote.valid_until} form="clock" />],
            ...(quote.epochs.missing ? [['Missing', `${count(quote.epochs.missing)} epochs that nobody attested`] as [string, string]] : []),
          ]} />
          <label>Format<select value={format} onChange={(event) => setFormat(event.currentTarget.value as Format)}><option value="csv">CSV</option><option value="geojson">GeoJSON</option><option value="parquet">Parquet</option></select></label>
          {wallet?.account === payer
            ? <div><button type="button" class="primary" disabled={quote.rows === 0 || told !== ''} onClick={sign}>Buy and download</button></div>
            : <p class="hint">{payer ? <>Only the wallet of <Id id={payer} /> can sign for it.</> : <>To buy it, <a href="/wallet">make an account</a>.</>}</p>}
        </>
      )}
      {told && <p role="status" class="hint">{told} {order && <button type="button" class="plain" onClick={() => void download(order.id).catch(wrong)}>Fetch again</button>}</p>}
      {order && <p class="hint">The key of this order stays in this browser until the order ends, <Time at={order.end} />. Whoever got hold of it could spend what the order holds, <Credits credits={order.holds} /> at most, and nothing else of the account.</p>}
      {purchase && wallet && <Review wallet={wallet} prepared={purchase.prepared} onCancel={() => setPurchase(undefined)} onDone={signed} />}
    </>
  );
}
