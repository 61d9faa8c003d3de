/** Epochs of a network with what verifiers attested; disputes and punishments. */
import { useLocation } from 'preact-iso';
import { useGet } from '../api/use';
import type { Schemas } from '../api/client';
import { count } from '../format/amounts';
import { useTitle } from '../title';
import { Block, Empty, sentence } from '../ui/block';
import { Pager, Table } from '../ui/table';
import { Credits, Id, Tag, Time, Token } from '../ui/values';

export function Audit() {
  useTitle('Audit');
  const { query, route } = useLocation();
  const networks = useGet('/v1/networks', { params: { query: { limit: 100 } } });
  const rows = networks.data?.items ?? [];
  const network = rows.find((one) => one.id === query.network) ?? rows[0];
  return (
    <>
      <div class="head">
        <div><h1>Audit</h1><p class="lead">Verifiers judge every epoch from sealed files. Anyone can do it again: open an epoch and press “Recompute”.</p></div>
        {rows.length > 1 && network && (
          <label>Network
            <select value={network.id} onChange={(event) => route(`/audit?network=${event.currentTarget.value}`)}>
              {rows.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
            </select>
          </label>
        )}
      </div>
      <div class="grid">
        {query.epoch && /^\d+$/.test(query.epoch) && <One epoch={Number(query.epoch)} names={rows} />}
        {network ? <Epochs of={network} /> : <div><Empty title={networks.state === 'loading' ? 'Loading…' : 'There is no network to audit yet.'} /></div>}
        <Disputes />
        <Slashes />
      </div>
    </>
  );
}

const FINDINGS: Record<Schemas['NetworkEpochRow']['findings'], string> = { none: 'not yet', awaited: 'awaited', here: 'here', differs: 'differs' };

function Epochs({ of }: { of: Schemas['NetworkRow'] }) {
  const { query } = useLocation();
  const list = useGet('/v1/networks/{id}/epochs', { params: { path: { id: of.id }, query: { limit: 24, cursor: query.cursor } } });
  const known = (value: number | null | undefined) => (value === null || value === undefined ? <span class="muted">–</span> : count(value));
  return (
    <Block title={`Epochs of ${of.name}`} from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="None of its epochs has closed yet." /> : undefined)}>
      {(data) => (
        <>
          <Table label="Epochs" rows={data.items} rowKey={(row) => row.epoch} columns={[
            { head: 'Epoch', lead: true, cell: (row) => <><a href={`/audit/${row.network}/${row.epoch}`}>Epoch {count(row.epoch)}</a> <span class="muted small"><Time at={row.start} /></span></> },
            { head: 'State', cell: (row) => <><Tag state={row.state} />{row.disputed && <> <Tag state="disputed" /></>}</> },
            { head: 'Archive', cell: (row) => <Tag state={row.findings} label={FINDINGS[row.findings]} /> },
            { head: 'Accepted', num: true, cell: (row) => known(row.accepted) },
            { head: 'Refused', num: true, cell: (row) => known(row.refused) },
            { head: 'Customers paid', num: true, cell: (row) => <Credits credits={row.customers_paid} /> },
            { head: 'For being there', num: true, cell: (row) => <Token base={row.availability} /> },
          ]} />
          <Pager next={data.next_cursor} csv={`/v1/networks/${of.id}/epochs.csv`} />
        </>
      )}
    </Block>
  );
}

/** One epoch, in every network. */
function One({ epoch, names }: { epoch: number; names: Schemas['NetworkRow'][] }) {
  const found = useGet('/v1/epochs/{epoch}', { params: { path: { epoch } } });
  return (
    <Block title={`Epoch ${count(epoch)} in every network`} from={found} flush empty={(data) => (data.per_network.length === 0 ? <Empty title="No network had it." /> : undefined)}>
      {(data) => (
        <Table label="Epoch in every network" rows={data.per_network} rowKey={(row) => row.network} columns={[
          { head: 'Network', lead: true, cell: (row) => <a href={`/audit/${row.network}/${row.epoch}`}>{names.find((one) => one.id === row.network)?.name ?? row.network.slice(0, 8)}</a> },
          { head: 'State', cell: (row) => <Tag state={row.state} /> },
          { head: 'Customers paid', num: true, cell: (row) => <Credits credits={row.customers_paid} /> },
          { head: 'For being there', num: true, cell: (row) => <Token base={row.availability} /> },
        ]} />
      )}
    </Block>
  );
}

function Disputes() {
  const list = useGet('/v1/disputes', { params: { query: { limit: 20 } } });
  return (
    <Block class="half" title="Disputes" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="No result was ever disputed." /> : undefined)}>
      {(data) => (
        <Table label="Disputes" rows={data.items} rowKey={(row) => `${row.network}${row.epoch}`} columns={[
          { head: 'Epoch', lead: true, cell: (row) => <a href={`/audit/${row.network}/${row.epoch}`}>Epoch {count(row.epoch)}</a> },
          { head: 'State', cell: (row) => <Tag state={row.state} /> },
          { head: 'Bond', num: true, cell: (row) => <Token base={row.bond} /> },
          { head: 'By', cell: (row) => <Id id={row.disputer} href={`/ledger/accounts/${row.disputer}`} /> },
          { head: 'Opened', cell: (row) => <Time at={row.opened} /> },
        ]} />
      )}
    </Block>
  );
}

function Slashes() {
  const list = useGet('/v1/slashes', { params: { query: { limit: 20 } } });
  return (
    <Block class="half" title="Punishments" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="Nobody was ever punished." /> : undefined)}>
      {(data) => (
        <Table label="Punishments" rows={data.items} rowKey={(row) => `${row.height}${row.who}`} columns={[
          { head: 'What', lead: true, wrap: true, cell: (row) => sentence(row.sentence) },
          { head: 'Burned', num: true, cell: (row) => <Token base={row.burned} /> },
          { head: 'When', cell: (row) => <Time at={row.time} /> },
        ]} />
      )}
    </Block>
  );
}
