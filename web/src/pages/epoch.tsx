/** One epoch of a network: roots, who signed, the sealed files, and judging it again. */
import { useLocation, useRoute } from 'preact-iso';
import { useGet } from '../api/use';
import type { Schemas } from '../api/client';
import { useChain } from '../chain';
import { bytes, count, percent } from '../format/amounts';
import { duration } from '../format/times';
import { useTitle } from '../title';
import { Block, Card, Empty, Subject, sentence } from '../ui/block';
import { ProvenRecord } from '../ui/proven';
import { Bars, Pager, Pairs, Stat, Stats, Table } from '../ui/table';
import { Checked, Credits, Id, Tag, Time, Token, Units, Usd } from '../ui/values';
import { isHex } from '../verify/record';
import { Recompute } from './epoch-recompute';

export function Epoch() {
  const { network = '', epoch = '' } = useRoute().params;
  const number = Number(epoch);
  const found = useGet('/v1/networks/{id}/epochs/{epoch}', { params: { path: { id: network, epoch: number } } });
  useTitle(`Epoch ${epoch}`);
  return <Subject from={found}>{(data) => <Page of={data} />}</Subject>;
}

/** The roots as the record has them, one after the other. */
const holds = ({ inputs, archive, findings, memory, anchors, previous }: Schemas['RootsFace']) => (record: unknown[]) =>
  [inputs, archive, findings, memory, anchors, previous].every((root, at) => isHex(record[at], root));

function Page({ of }: { of: Schemas['NetworkEpoch'] }) {
  const chain = useChain();
  const network = useGet('/v1/networks/{id}', { params: { path: { id: of.network } } }, false);
  const signed = BigInt(of.bond_active) === 0n ? 0 : Number((10_000n * BigInt(of.bond_signed)) / BigInt(of.bond_active));
  const known = (value: number | null | undefined) => (value === null || value === undefined ? '–' : count(value));
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs"><a href={`/audit?network=${of.network}`}>Epochs{network.data && ` of ${network.data.name}`}</a></p>
          <h1>Epoch {count(of.epoch)}</h1>
          <p class="lead"><Time at={of.start} /> to <Time at={of.end} form="clock" />{of.window_left_ms ? `; may be disputed for ${duration(of.window_left_ms)} more` : ''}</p>
          {of.roots && <p><ProvenRecord kind="roots" id={of.network} epoch={of.epoch} height={of.at.height} what="roots" same={holds(of.roots)} /></p>}
        </div>
        <div class="actions">
          {of.epoch > 0 && <a class="button" href={`/audit/${of.network}/${of.epoch - 1}`}>Epoch before</a>}
          {chain?.epoch && of.epoch + 1 < chain.epoch.number && <a class="button" href={`/audit/${of.network}/${of.epoch + 1}`}>Next epoch</a>}
        </div>
      </div>
      {of.findings === 'awaited' && <p class="banner warn">No verifier has given the sealed files of this epoch yet. The explorer asks again; what is on the ledger is complete.</p>}
      {of.findings === 'differs' && <p class="banner bad">What a verifier gave as the files of this epoch does not have the ledger’s roots. It is not shown.</p>}
      <Stats>
        <Stat label="State"><Tag state={of.state} /></Stat>
        <Stat label="Reports accepted" sub={`${known(of.refused)} refused`}>{known(of.accepted)}</Stat>
        <Stat label="Signed by" sub={of.quorum.length === 1 ? 'one verifier' : `${of.quorum.length} verifiers`}>{percent(signed)}<small>of all bond</small></Stat>
        <Stat label="For being there"><Token base={of.availability} /></Stat>
        <Stat label="Customers paid"><Credits credits={of.customers_paid} /></Stat>
      </Stats>
      <div class="grid">
        <Recompute of={of} />
        {of.dispute && <Dispute of={of.dispute} />}
        <Card class="half" title="Who signed the result" flush>
          {of.quorum.length === 0 ? <Empty title="Nobody yet: it is being judged." /> : (
            <Table label="Who signed" rows={of.quorum} rowKey={(row) => row.id} columns={[
              { head: 'Verifier', lead: true, cell: (row) => <a href={`/ledger/accounts/${row.id}`}>Account {row.number}</a> },
              { head: 'Bond', num: true, cell: (row) => <Token base={row.bond} /> },
              { head: 'Its files', cell: (row) => { const anchor = of.anchors.find((one) => one.verifier === row.id); return anchor ? <span title={anchor.root}>{count(anchor.count)} reports{anchor.left_out ? ', left out' : ''}</span> : <span class="muted">none anchored</span>; } },
            ]} />
          )}
        </Card>
        <Card class="half" title="Sealed files" flush {...(of.archive && { checked: of.archive.checked })}>
          {of.archive ? (
            <Table label="Sealed files" rows={of.archive.files} rowKey={(row) => row.name} columns={[
              { head: 'File', lead: true, cell: (row) => <a href={row.url} download>{row.name}</a> },
              // Only some archives list them.
              ...(of.archive.files.every((file) => file.bytes === null) ? [] : [{ head: 'Size', num: true, cell: (row: Schemas['ArchiveFile']) => (row.bytes === null ? <span class="muted">–</span> : bytes(row.bytes)) }]),
              ...(of.archive.files.every((file) => file.sha256 === null) ? [] : [{ head: 'SHA-256', cell: (row: Schemas['ArchiveFile']) => (row.sha256 === null ? <span class="muted">–</span> : <Id id={row.sha256} copy />) }]),
            ]} />
          ) : <Empty title={of.findings === 'none' ? 'Nothing is sealed yet.' : 'Nobody gave them yet.'} />}
        </Card>
        <Differences of={of} />
        <Card class="half" title="Why reports were refused">
          {of.refused_by.length === 0 ? <Empty title={of.refused ? 'Not known yet.' : 'None was.'} /> : <Bars rows={of.refused_by.map((row) => ({ key: row.code, name: row.sentence, value: row.count, text: count(row.count) }))} />}
        </Card>
        <Card class="half" title="On the ledger" tools={<Checked by={of.checked} />}>
          <Pairs items={[
            ['Beacon', of.beacon ? <Id id={of.beacon} copy /> : 'not revealed yet'],
            ['Payouts', of.leaves === null || of.leaves === undefined ? 'not settled yet' : `${count(of.paid_leaves ?? 0)} of ${count(of.leaves)} paid`],
            ['Attested with', of.settle_transaction ? <Id id={of.settle_transaction} href={`/ledger/transactions/${of.settle_transaction}`} /> : 'nothing yet'],
            ['Exchange among operators', of.exchanged ? 'open: stablecoin for token, where their choices meet' : 'none'],
          ]} />
        </Card>
        <Payouts of={of} />
      </div>
    </>
  );
}

function Dispute({ of }: { of: Schemas['DisputeRow'] }) {
  const told = { open: 'The validators judge the epoch again.', rejected: 'The validators found the result right: the bond is lost.', upheld: 'The validators found it wrong and replaced the result.', completed: 'The validators completed it.', settled: 'Verifiers did not settle it in time: the validators did.' }[of.state];
  return (
    <Card title="Disputed" tools={<Tag state={of.state} />}>
      <p>{told}{of.blame && ' Those who signed what was wrong are punished.'}</p>
      <Pairs items={[
        ['By', <Id id={of.disputer} href={`/ledger/accounts/${of.disputer}`} />], ['Bond', <Token base={of.bond} />], ['Opened', <><Time at={of.opened} />, block <a href={`/ledger/blocks/${of.opened_height}`}>{count(of.opened_height)}</a></>],
        ['Claims the result', <Id id={of.claim} full />], ['Votes', `${of.votes.length} of the validators`],
      ]} />
    </Card>
  );
}

/** Where a verifier said something else than what is in force: field by field. */
function Differences({ of }: { of: Schemas['NetworkEpoch'] }) {
  const list = useGet('/v1/networks/{id}/epochs/{epoch}/differences', { params: { path: { id: of.network, epoch: of.epoch }, query: { limit: 100 } } });
  return (
    <Block title="Differences between verifiers" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="Every verifier whose result is known says the same." /> : undefined)}>
      {(data) => (
        <Table label="Differences" rows={data.items} rowKey={(row, at) => `${row.verifier}${at}`} columns={[
          { head: 'Verifier', lead: true, cell: (row) => <Id id={row.verifier} href={`/ledger/accounts/${row.verifier}`} /> },
          { head: 'Roots that differ', cell: (row) => row.fields.join(', ') },
          { head: 'First at', cell: (row) => (row.row === null || row.row === undefined ? <span class="muted">–</span> : <>report {count(row.row)}{row.field && `, ${row.field}`}</>) },
          { head: 'In force', wrap: true, cell: (row) => row.ours ?? <Id id={row.our_result} /> },
          { head: 'It says', wrap: true, cell: (row) => (row.theirs ? sentence(row.theirs) : <Id id={row.their_result} />) },
        ]} />
      )}
    </Block>
  );
}

function Payouts({ of }: { of: Schemas['NetworkEpoch'] }) {
  const { query } = useLocation();
  const list = useGet('/v1/networks/{id}/epochs/{epoch}/payouts', { params: { path: { id: of.network, epoch: of.epoch }, query: { limit: 15, cursor: query.cursor } } });
  return (
    <Block title="Payouts" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="Nothing is paid yet." /> : undefined)}>
      {(data) => (
        <>
          <Table label="Payouts" rows={data.items} rowKey={(row) => row.place} columns={[
            { head: 'Operator', lead: true, cell: (row) => <a href={`/operators/${row.operator}`}>Account {row.number}</a> },
            { head: 'Units', num: true, cell: (row) => <Units micro={row.units} /> },
            { head: 'Token', num: true, cell: (row) => <Token base={row.token} /> },
            { head: 'Stablecoin', num: true, cell: (row) => <Usd micro={row.stable} /> },
            { head: 'Worth at receipt', num: true, cell: (row) => <Usd micro={row.usd_micro} /> },
          ]} />
          <Pager next={data.next_cursor} csv={`/v1/networks/${of.network}/epochs/${of.epoch}/payouts.csv`} />
        </>
      )}
    </Block>
  );
}
