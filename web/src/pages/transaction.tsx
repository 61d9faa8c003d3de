/** One transaction: what it did, or why it was refused, in sentences. */
import { useRoute } from 'preact-iso';
import { useGet } from '../api/use';
import type { Schemas } from '../api/client';
import { count } from '../format/amounts';
import { useTitle } from '../title';
import { Card, Empty, Subject, sentence } from '../ui/block';
import { Events } from '../ui/ledger';
import { Pairs } from '../ui/table';
import { Id, Tag, Time, Token } from '../ui/values';

export function Transaction() {
  const { id = '' } = useRoute().params;
  const transaction = useGet('/v1/transactions/{id}', { params: { path: { id } } });
  useTitle('Transaction');
  return <Subject from={transaction}>{(data) => <Page of={data} />}</Subject>;
}

function Page({ of }: { of: Schemas['Transaction'] }) {
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs"><a href="/ledger?view=transactions">Transactions</a></p>
          <h1>{of.kind ? title(of.kind) : 'Transaction'}</h1>
          <p class="lead">{of.sentence && sentence(of.sentence)}</p>
        </div>
        <Tag state={of.state} />
      </div>
      {of.refusal && <p class="banner bad"><b>Refused: {sentence(of.refusal.message)}</b> {sentence(of.refusal.hint)}</p>}
      {of.state === 'waiting' && <p class="banner warn">It waits for a block. This page looks again by itself.</p>}
      <div class="grid">
        <Card title="What it is" checked={of.checked}>
          <Pairs items={[
            ['Id', <Id id={of.id} full copy />],
            ...(of.account ? [['By', <a href={`/ledger/accounts/${of.account}`}>{of.account_number === null || of.account_number === undefined ? of.account : `Account ${of.account_number}`}</a>] as Pair] : []),
            ...(of.height !== null && of.height !== undefined ? [['Block', <><a href={`/ledger/blocks/${of.height}`}>{count(of.height)}</a>, place {count(of.index ?? 0)}, <Time at={of.time} /></>] as Pair] : []),
            ...(of.fee ? [['Fee', <><Token base={of.fee} exact />, at most <Token base={of.fee_max} exact />{of.sponsor && <>, paid by {of.sponsor}</>}</>] as Pair] : []),
            ...(of.nonce !== null && of.nonce !== undefined ? [['Nonce', count(of.nonce)] as Pair] : []),
          ]} />
        </Card>
        <Card title="What came of it" flush>{of.events.length === 0 ? <Empty title="Nothing yet." /> : <Events rows={of.events} />}</Card>
        {of.fields !== null && of.fields !== undefined && <Card title="As the ledger has it"><details class="as-table"><summary>Its fields, in the order of their bytes</summary><pre tabIndex={0}>{JSON.stringify(of.fields, null, 2)}</pre></details></Card>}
      </div>
    </>
  );
}

type Pair = [string, preact.ComponentChildren];

function title(kind: string): string {
  const words = kind.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
