/** Judging an epoch again: asks the explorer to, shows how far it is, and compares root by root. */
import { useEffect, useState } from 'preact/hooks';
import { useGet } from '../api/use';
import { type Refusal, type Schemas, post, refusalOf } from '../api/client';
import { count } from '../format/amounts';
import { Block, sentence } from '../ui/block';
import { Table } from '../ui/table';
import { Id, Tag } from '../ui/values';

const NAMES: Record<string, string> = {
  inputs: 'What was judged', archive: 'The sealed reports', findings: 'What became of each report', memory: 'What is remembered for the next epoch', payouts: 'Who is paid what', result: 'All of it',
};
const POLL_MS = 1500;

export function Recompute({ of }: { of: Schemas['NetworkEpoch'] }) {
  const path = { id: of.network, epoch: of.epoch };
  const audit = useGet('/v1/networks/{id}/epochs/{epoch}/audit', { params: { path } }, false);
  const [refusal, setRefusal] = useState<Refusal>();
  const busy = audit.data?.state === 'queued' || audit.data?.state === 'running';
  useEffect(() => {
    if (!busy) return;
    const timer = setInterval(audit.again, POLL_MS);
    return () => clearInterval(timer);
  }, [busy]);
  const ask = () => {
    setRefusal(undefined);
    post(`/v1/networks/${of.network}/epochs/${of.epoch}/audit`, {}).then(audit.again, (error: unknown) => setRefusal(refusalOf(error)));
  };
  const may = of.findings === 'here';
  return (
    <Block title="Judge it again" from={audit} unsaid={audit.data?.steps.length === 0} flush={audit.data?.steps.length !== 0 && audit.data !== undefined}
      tools={<button type="button" class="primary" disabled={busy || !may} onClick={ask}>{busy ? 'Recomputing…' : 'Recompute this epoch'}</button>}>
      {(data) => (
        <>
          {refusal && <p class="banner bad" role="alert">{sentence(refusal.message)} {sentence(refusal.hint)}</p>}
          <p role="status" class={data.steps.length ? 'audit-told' : ''}>{told(data, may)}</p>
          {data.steps.length > 0 && (
            <Table label="Root by root" rows={data.steps} rowKey={(row) => row.name} columns={[
              { head: 'Root', lead: true, cell: (row) => NAMES[row.name] ?? row.name },
              { head: 'On the ledger', cell: (row) => (row.ledger ? <Id id={row.ledger} /> : <span class="muted">–</span>) },
              { head: 'Recomputed here', cell: (row) => (row.recomputed ? <Id id={row.recomputed} /> : <span class="muted">–</span>) },
              { head: 'Compared', cell: (row) => (row.equal === null || row.equal === undefined ? <Tag state="waiting" label="not yet" /> : <Tag state={row.equal ? 'equal' : 'differs'} />) },
            ]} />
          )}
        </>
      )}
    </Block>
  );
}

function told(audit: Schemas['Audit'], may: boolean): string {
  switch (audit.state) {
    case 'none': return may ? 'The explorer takes the sealed reports, judges every one of them by the network’s rules, and compares each root with the ledger’s.' : 'It can be judged again when its sealed files are here.';
    case 'queued': return 'Waits for another epoch that is being judged.';
    case 'running': return `At work: ${audit.progress}.`;
    case 'equal': return `Equal: all roots are those on the ledger${audit.reports === null || audit.reports === undefined ? '' : `, from ${count(audit.reports)} reports`}.`;
    case 'differs': return `It differs. ${audit.difference ? sentence(audit.difference) : ''}`;
    case 'failed': return `It could not be judged again: ${sentence(audit.progress)}`;
  }
}
