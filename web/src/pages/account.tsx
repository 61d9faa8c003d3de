/** One account: what it holds, what it does here, and its transactions. */
import { useLocation, useRoute } from 'preact-iso';
import { useGet } from '../api/use';
import type { Schemas } from '../api/client';
import { count, percent } from '../format/amounts';
import { useTitle } from '../title';
import { Block, Card, Empty, Subject } from '../ui/block';
import { Transactions } from '../ui/ledger';
import { ProvenRecord } from '../ui/proven';
import { Pager, Pairs, Stat, Stats } from '../ui/table';
import { Credits, Id, Token, Usd } from '../ui/values';
import { isNumber } from '../verify/record';

export function Account() {
  const { id = '' } = useRoute().params;
  const account = useGet('/v1/accounts/{id}', { params: { path: { id } } });
  useTitle(account.data ? `Account ${account.data.number}` : 'Account');
  return <Subject from={account}>{(data) => <Page of={data} />}</Subject>;
}

/** Number, rule, nonce, token, stablecoin: the first fields of an account's record. */
const holds = (of: Schemas['Account']) => ([number, , nonce, token, stable]: unknown[]) =>
  isNumber(number, of.number) && isNumber(nonce, of.nonce) && isNumber(token, of.token) && isNumber(stable, of.stable);

function Page({ of }: { of: Schemas['Account'] }) {
  const { query } = useLocation();
  const list = useGet('/v1/accounts/{id}/transactions', { params: { path: { id: of.id }, query: { limit: 20, cursor: query.cursor } } });
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs"><a href="/ledger?view=accounts">Accounts</a></p>
          <h1>Account {of.number}</h1>
          <p class="lead"><Id id={of.id} copy /> {of.roles.length > 0 && <>is {of.roles.join(', ')}</>}</p>
          <p><ProvenRecord kind="account" id={of.id} height={of.at.height} what="balances" same={holds(of)} /></p>
        </div>
        <div class="actions">
          {of.roles.includes('operator') && <a class="button" href={`/operators/${of.id}`}>As an operator</a>}
          {of.roles.includes('customer') && <a class="button" href={`/customers/${of.id}`}>As a customer</a>}
        </div>
      </div>
      <Stats>
        <Stat label="Token"><Token base={of.token} /></Stat>
        <Stat label="Stablecoin"><Usd micro={of.stable} /></Stat>
        <Stat label="Credits" sub={<><Usd micro={of.credits_stable} /> can be given back</>}><Credits credits={of.credits} /></Stat>
        <Stat label="Devices">{count(of.devices)}</Stat>
      </Stats>
      <div class="grid">
        <Block title="Transactions" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="It has sent none." /> : undefined)}>
          {(data) => <><Transactions rows={data.items} /><Pager next={data.next_cursor} csv={`/v1/accounts/${of.id}/transactions.csv`} /></>}
        </Block>
        <Card title="The account" checked={of.checked}>
          <Pairs items={[
            ['Id', <Id id={of.id} full copy />],
            ['Rule of its keys', <Id id={of.rule} full />],
            ['Last nonce', count(of.nonce)],
            ['Wants in stablecoin', of.payout_choice_bps === null || of.payout_choice_bps === undefined ? 'as earned' : `${percent(of.payout_choice_bps)} of its income`],
            ...(of.networks.length ? [['Networks it founded', <>{of.networks.map((id) => <span key={id}><Id id={id} href={`/networks/${id}`} /> </span>)}</>] as [string, preact.ComponentChildren]] : []),
          ]} />
        </Card>
      </div>
    </>
  );
}
