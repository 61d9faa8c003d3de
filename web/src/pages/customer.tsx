/** One customer: credits, what they were spent on, orders and bills. */
import { useLocation, useRoute } from 'preact-iso';
import { useGet } from '../api/use';
import type { Schemas } from '../api/client';
import { count, dollars, toNumber } from '../format/amounts';
import { useTitle } from '../title';
import { Block, Card, Empty, Subject } from '../ui/block';
import { Chart, short } from '../ui/chart';
import { Pager, Pairs, Stat, Stats, Table } from '../ui/table';
import { Credits, Id, Tag, Time, Token, Usd } from '../ui/values';

export function Customer() {
  const { id = '' } = useRoute().params;
  const customer = useGet('/v1/customers/{id}', { params: { path: { id } } });
  useTitle(customer.data ? `Customer ${customer.data.number}` : 'Customer');
  return <Subject from={customer}>{(data) => <Page of={data} />}</Subject>;
}

function Page({ of }: { of: Schemas['Customer'] }) {
  const usd = (value: number) => dollars(BigInt(Math.round(value * 1e6)));
  return (
    <>
      <div class="head">
        <div><p class="crumbs"><a href="/customers">Customers</a></p><h1>Account {of.number}</h1><p class="lead"><Id id={of.id} href={`/ledger/accounts/${of.id}`} copy /></p></div>
        <div class="actions"><a class="button" href="/wallet">Buy credits</a><a class="button" href="/customers">Buy data</a></div>
      </div>
      <Stats>
        <Stat label="Credits left" sub={<><Usd micro={of.credits_stable} /> can be given back</>}><Credits credits={of.credits} /></Stat>
        <Stat label="Held for open orders"><Credits credits={of.held} /></Stat>
        <Stat label="Bought"><Credits credits={of.bought} /></Stat>
        <Stat label="Spent" sub={of.orders === 1 ? 'one order' : `${count(of.orders)} orders`}><Credits credits={of.spent} /></Stat>
      </Stats>
      <div class="grid">
        <Card class="two-thirds" title="Spent by day" checked={of.checked}>
          {of.days.length === 0 ? <Empty title="Nothing was bought or spent yet." /> : (
            <Chart label="Spent by day" days times={of.days.map((day) => Date.parse(`${day.day}T12:00:00Z`) / 1000)} axis={(value) => `$${short(value)}`} lines={[{ name: 'Spent', kind: 'bar', tone: 1, text: usd, values: of.days.map((day) => toNumber(day.spent, 6)) }]} />
          )}
        </Card>
        <Card class="third" title="How credits were bought">
          <Pairs items={[
            ['With stablecoin', <Credits credits={of.bought_stable} />], ['By burning', <><Credits credits={of.bought_burned} /><br /><span class="muted small">for <Token base={of.burned_token} /></span></>], ['Given back', <Credits credits={of.refunded} />],
          ]} />
        </Card>
        <Orders of={of} />
        <Bills of={of} />
      </div>
    </>
  );
}

function Orders({ of }: { of: Schemas['Customer'] }) {
  const { query } = useLocation();
  const list = useGet('/v1/customers/{id}/orders', { params: { path: { id: of.id }, query: { limit: 15, cursor: query.cursor } } });
  return (
    <Block title="Orders" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="No order yet." /> : undefined)}>
      {(data) => (
        <>
          <Table label="Orders" rows={data.items} rowKey={(row) => row.id} columns={[
            { head: 'Order', lead: true, cell: (row) => <Id id={row.id} href={`/ledger/orders/${row.id}`} /> },
            { head: 'State', cell: (row) => <Tag state={row.state} /> },
            { head: 'Network', cell: (row) => <a href={`/networks/${row.network}`}>{row.network_name}</a> },
            { head: 'Kind', cell: (row) => row.shape },
            { head: 'Held', num: true, cell: (row) => <Credits credits={row.held} /> },
            { head: 'Paid', num: true, cell: (row) => <Credits credits={row.settled} /> },
            { head: 'Opened', cell: (row) => <Time at={row.opened} /> },
          ]} />
          <Pager next={data.next_cursor} csv={`/v1/customers/${of.id}/orders.csv`} />
        </>
      )}
    </Block>
  );
}

function Bills({ of }: { of: Schemas['Customer'] }) {
  const { query } = useLocation();
  const list = useGet('/v1/customers/{id}/bills', { params: { path: { id: of.id }, query: { limit: 15, cursor: query.bills } } });
  return (
    <Block title="Bills" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="No bill yet." /> : undefined)}>
      {(data) => (
        <>
          <Table label="Bills" rows={data.items} rowKey={(row) => row.transaction} columns={[
            { head: 'When', lead: true, cell: (row) => <Time at={row.time} /> },
            { head: 'Order', cell: (row) => <Id id={row.order} href={`/ledger/orders/${row.order}`} /> },
            { head: 'Paid to', cell: (row) => <Id id={row.provider} href={`/ledger/accounts/${row.provider}`} /> },
            { head: 'Paid', num: true, cell: (row) => <Credits credits={row.paid} /> },
            { head: 'Transaction', cell: (row) => <Id id={row.transaction} href={`/ledger/transactions/${row.transaction}`} /> },
          ]} />
          <Pager name="bills" next={data.next_cursor} csv={`/v1/customers/${of.id}/bills.csv`} />
        </>
      )}
    </Block>
  );
}
