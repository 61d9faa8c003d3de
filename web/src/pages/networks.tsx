/** Every network of the chain: what it measures, who earns in it and who pays. */
import { useLocation } from 'preact-iso';
import { useGet } from '../api/use';
import { count } from '../format/amounts';
import { useTitle } from '../title';
import { Block, Empty } from '../ui/block';
import { Pager, Table } from '../ui/table';
import { Credits, Token, Usd } from '../ui/values';

export function Networks() {
  useTitle('Networks');
  const { query } = useLocation();
  const list = useGet('/v1/networks', { params: { query: { limit: 50, cursor: query.cursor } } });
  return (
    <>
      <div class="head"><div><h1>Networks</h1><p class="lead">Each network buys one kind of measurement or coverage, by public rules of its own.</p></div></div>
      <Block title="All networks" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="There is no network yet.">Start one with <code>cairn network new</code>.</Empty> : undefined)}>
        {(data) => (
          <>
            <Table label="Networks" rows={data.items} rowKey={(row) => row.id} columns={[
              { head: 'Network', lead: true, cell: (row) => <><a href={`/networks/${row.id}`}>{row.name}</a><div class="muted small">{row.unit}</div></> },
              { head: 'Reporting', num: true, cell: (row) => `${count(row.reporting)} of ${count(row.devices)}` },
              { head: 'Customers paid', num: true, cell: (row) => <Credits credits={row.customers_paid} /> },
              { head: 'Issued to operators', num: true, cell: (row) => <Token base={row.availability} /> },
              { head: 'Operators’ income', num: true, cell: (row) => <Usd micro={row.usd_micro} /> },
              { head: 'Open orders', num: true, cell: (row) => count(row.open_orders) },
            ]} />
            <Pager next={data.next_cursor} csv="/v1/networks.csv" />
          </>
        )}
      </Block>
    </>
  );
}
