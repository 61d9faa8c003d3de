/** Where one buys: a query on the map with its price before paying; and everyone who did. */
import { useLocation } from 'preact-iso';
import { useGet } from '../api/use';
import { count } from '../format/amounts';
import { useTitle } from '../title';
import { Block, Empty } from '../ui/block';
import { Pager, Table } from '../ui/table';
import { Credits, Id, Time } from '../ui/values';
import { BuyData } from './customer-query';

export function Customers() {
  useTitle('Customers');
  const { query } = useLocation();
  const list = useGet('/v1/customers', { params: { query: { limit: 25, cursor: query.cursor } } });
  return (
    <>
      <div class="head"><div><h1>Customers</h1><p class="lead">They pay in credits: one credit is a millionth of a dollar of service, at fixed prices. You see the price before you pay.</p></div></div>
      <BuyData />
      <Block title="All customers" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="Nobody has bought anything yet." /> : undefined)}>
        {(data) => (
          <>
            <Table label="Customers" rows={data.items} rowKey={(row) => row.id} columns={[
              { head: 'Customer', lead: true, cell: (row) => <><a href={`/customers/${row.id}`}>Account {row.number}</a> <span class="muted"><Id id={row.id} /></span></> },
              { head: 'Bought', num: true, cell: (row) => <Credits credits={row.bought} /> },
              { head: 'Spent', num: true, cell: (row) => <Credits credits={row.spent} /> },
              { head: 'Left', num: true, cell: (row) => <Credits credits={row.credits} /> },
              { head: 'Orders', num: true, cell: (row) => count(row.orders) },
              { head: 'Last order', cell: (row) => <Time at={row.last_order} /> },
            ]} />
            <Pager next={data.next_cursor} csv="/v1/customers.csv" />
          </>
        )}
      </Block>
    </>
  );
}
