/** One order: what is held for it and what was paid out of it. */
import { useRoute } from 'preact-iso';
import { useGet } from '../api/use';
import { count } from '../format/amounts';
import { useTitle } from '../title';
import { Card, Subject } from '../ui/block';
import { Pairs, Stat, Stats } from '../ui/table';
import { Credits, Id, Tag, Time } from '../ui/values';

export function Order() {
  const { id = '' } = useRoute().params;
  const order = useGet('/v1/orders/{id}', { params: { path: { id } } });
  useTitle('Order');
  return (
    <Subject from={order}>
      {(of) => (
        <>
          <div class="head"><div><p class="crumbs"><a href={`/customers/${of.customer}`}>Customer</a></p><h1>Order of a {of.shape}</h1><p class="lead"><Id id={of.id} copy /></p></div><Tag state={of.state} /></div>
          <Stats>
            <Stat label="Held"><Credits credits={of.held} /></Stat>
            <Stat label="Paid" sub={`${count(of.vouchers)} vouchers`}><Credits credits={of.settled} /></Stat>
            <Stat label="Returned"><Credits credits={of.returned} /></Stat>
          </Stats>
          <Card title="The order">
            <Pairs items={[
              ['Network', <a href={`/networks/${of.network}`}>{of.network_name}</a>],
              ['Customer', <Id id={of.customer} href={`/customers/${of.customer}`} full />],
              ['Provider', <Id id={of.provider} href={`/ledger/accounts/${of.provider}`} full />],
              ['Opened', <><Time at={of.opened} />, block <a href={`/ledger/blocks/${of.opened_height}`}>{count(of.opened_height)}</a>, <a href={`/ledger/transactions/${of.transaction}`}>transaction</a></>],
              ['Ends', <Time at={of.expires} />],
              ['Hash of what was agreed', <Id id={of.terms} full />],
            ]} />
          </Card>
        </>
      )}
    </Subject>
  );
}
