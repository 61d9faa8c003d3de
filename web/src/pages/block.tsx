/** One block, with the check of its certificate done here, in the reader's browser. */
import { useRoute } from 'preact-iso';
import { useGet } from '../api/use';
import type { Schemas } from '../api/client';
import { useChain } from '../chain';
import { count } from '../format/amounts';
import { useTitle } from '../title';
import { Card, Empty, Subject } from '../ui/block';
import { Events, Transactions } from '../ui/ledger';
import { Pairs } from '../ui/table';
import { Checked, Id, Time } from '../ui/values';
import { useCheck } from '../verify/use';

export function BlockPage() {
  const height = Number(useRoute().params.height);
  const block = useGet('/v1/blocks/{height}', { params: { path: { height } } }, false);
  useTitle(`Block ${height}`);
  return <Subject from={block}>{(data) => <Page of={data} />}</Subject>;
}

function Page({ of }: { of: Schemas['Block'] }) {
  return (
    <>
      <div class="head">
        <div><p class="crumbs"><a href="/ledger">Ledger</a></p><h1>Block {count(of.height)}</h1><p class="lead"><Time at={of.time} /></p></div>
        <div class="actions">
          {of.height > 1 && <a class="button" href={`/ledger/blocks/${of.height - 1}`}>Block before</a>}
          {of.height < of.at.height && <a class="button" href={`/ledger/blocks/${of.height + 1}`}>Next block</a>}
        </div>
      </div>
      <Finality of={of} />
      <div class="grid">
        <Card title={of.list.length < of.transactions ? `The first ${of.list.length} of ${count(of.transactions)} transactions` : 'Transactions'} checked="recomputed" flush>
          {of.list.length === 0 ? <Empty title="No transaction is in it.">Blocks without one carry the clock on: epochs close in them.</Empty> : <Transactions rows={of.list} withBlock={false} />}
        </Card>
        {of.begin.length > 0 && <Card title="What happened by itself" flush><Events rows={of.begin} /></Card>}
        <Card title="Header">
          <Pairs items={[
            ['Digest', <Id id={of.digest} full copy />], ['Parent', <Id id={of.parent} full />], ['State root', <Id id={of.state_root} full />],
            ['Transaction root', <Id id={of.transaction_root} full />], ['Receipt root', <Id id={of.receipt_root} full />],
            ['Proposed by', <Id id={of.leader} full />], ['View', `${count(of.view)} of committee ${count(of.epoch)}, era ${of.era}`],
            ...(of.beacon ? [['Beacon', <Id id={of.beacon} full />] as [string, preact.ComponentChildren]] : []),
            ...(of.certificate ? [['Certificate', <Id id={of.certificate} full />] as [string, preact.ComponentChildren]] : []),
          ]} />
        </Card>
      </div>
    </>
  );
}

function Finality({ of }: { of: Schemas['Block'] }) {
  const chain = useChain();
  const verdict = useCheck(chain?.anchor, of);
  if (verdict.state === 'broken') return <p class="banner bad" role="alert"><b>This block does not hold.</b> Your browser checked it: {verdict.why}. Do not rely on what is shown here.</p>;
  if (verdict.state === 'holds') {
    return (
      <p class="banner good"><b>Final.</b> Your browser checked it: more than two thirds of the validators signed
        {of.headers.length > 1 ? ` a block ${of.headers.length - 1} later that builds on this one` : ' this very block'}, with the key <code>{chain?.anchor.group_key.slice(0, 12)}…</code>. <Checked by="page" /></p>
    );
  }
  if (verdict.state === 'uncertified') return <p class="banner warn">The explorer has no certificate of this block at hand; it checked one when it followed the chain. <Checked by={of.checked} /></p>;
  return <p class="banner">Checking the validators’ signature…</p>;
}
