/** The ledger: blocks, transactions as sentences, accounts, and who validates and verifies. */
import { useLocation } from 'preact-iso';
import { useGet } from '../api/use';
import type { paths } from '../api/schema';
import { useChain } from '../chain';
import { bytes, count, decimal } from '../format/amounts';
import { useTitle } from '../title';
import { Block, Empty } from '../ui/block';
import { Transactions } from '../ui/ledger';
import { Pager, Stat, Stats, Table } from '../ui/table';
import { Credits, Id, Time, Token, Usd } from '../ui/values';

const VIEWS = { blocks: 'Blocks', transactions: 'Transactions', accounts: 'Accounts', validators: 'Validators and verifiers' };
type View = keyof typeof VIEWS;

export function Ledger() {
  useTitle('Ledger');
  const { query } = useLocation();
  const chain = useChain();
  const view: View = (query.view ?? 'blocks') in VIEWS ? ((query.view ?? 'blocks') as View) : 'blocks';
  return (
    <>
      <div class="head"><div><h1>Ledger</h1><p class="lead">Every block is final when it is here: the validators signed it, and the explorer ran its transactions again.</p></div></div>
      {chain && (
        <Stats>
          <Stat label="Blocks">{count(chain.counts.blocks)}</Stat>
          <Stat label="Transactions">{count(chain.counts.transactions)}</Stat>
          <Stat label="Accounts">{count(chain.counts.accounts)}</Stat>
          <Stat label="Price of a token">{chain.price.mid === null || chain.price.mid === undefined || chain.price.halted ? 'none now' : `$${decimal(chain.price.mid, 8)}`}</Stat>
          <Stat label="Fee of a transfer"><Token base={chain.fees.base} /></Stat>
        </Stats>
      )}
      <nav class="tabs" aria-label="Parts of the ledger">
        {Object.entries(VIEWS).map(([key, name]) => <a key={key} href={`/ledger?view=${key}`} aria-current={key === view ? 'true' : undefined}>{name}</a>)}
      </nav>
      {view === 'blocks' && <Blocks />}
      {view === 'transactions' && <AllTransactions />}
      {view === 'accounts' && <Accounts />}
      {view === 'validators' && <div class="grid"><Verifiers /><Validators /></div>}
    </>
  );
}

function Blocks() {
  const { query } = useLocation();
  const full = query.with === 'transactions';
  const list = useGet('/v1/blocks', { params: { query: { limit: 25, cursor: query.cursor, ...(full && { with: 'transactions' }) } } });
  return (
    <Block title="Blocks" from={list} flush tools={<a class="small" href={full ? '/ledger?view=blocks' : '/ledger?view=blocks&with=transactions'}>{full ? 'Show all' : 'Only with transactions'}</a>}
      empty={(data) => (data.items.length === 0 ? <Empty title="No block is indexed yet." /> : undefined)}>
      {(data) => (
        <>
          <Table label="Blocks" rows={data.items} rowKey={(row) => row.height} columns={[
            { head: 'Block', lead: true, cell: (row) => <a href={`/ledger/blocks/${row.height}`}>{count(row.height)}</a> },
            { head: 'Time', cell: (row) => <Time at={row.time} /> },
            { head: 'Digest', minor: true, cell: (row) => <Id id={row.digest} /> },
            { head: 'Transactions', num: true, cell: (row) => count(row.transactions) },
            { head: 'Events', num: true, cell: (row) => count(row.events) },
            { head: 'Size', num: true, minor: true, cell: (row) => bytes(row.bytes) },
            { head: 'Proposed by', minor: true, cell: (row) => <Id id={row.leader} /> },
          ]} />
          <Pager next={data.next_cursor} csv="/v1/blocks.csv" />
        </>
      )}
    </Block>
  );
}

/** Another word in the address is refused by the explorer, in words. */
type TransactionKind = NonNullable<paths['/v1/transactions']['get']['parameters']['query']>['kind'];

function AllTransactions() {
  const { query } = useLocation();
  const list = useGet('/v1/transactions', { params: { query: { limit: 25, cursor: query.cursor, kind: query.kind as TransactionKind } } });
  return (
    <Block title={query.kind ? `Transactions: ${query.kind.replaceAll('_', ' ')}` : 'Transactions'} from={list} flush tools={query.kind && <a class="small" href="/ledger?view=transactions">Show all</a>}
      empty={(data) => (data.items.length === 0 ? <Empty title="There is no transaction yet." /> : undefined)}>
      {(data) => (
        <>
          <Transactions rows={data.items} />
          <Pager next={data.next_cursor} csv="/v1/transactions.csv" />
        </>
      )}
    </Block>
  );
}

function Accounts() {
  const { query } = useLocation();
  const list = useGet('/v1/accounts', { params: { query: { limit: 25, cursor: query.cursor } } });
  return (
    <Block title="Accounts" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="There is no account yet." /> : undefined)}>
      {(data) => (
        <>
          <Table label="Accounts" rows={data.items} rowKey={(row) => row.id} columns={[
            { head: 'Account', lead: true, cell: (row) => <><a href={`/ledger/accounts/${row.id}`}>Account {row.number}</a> <span class="muted"><Id id={row.id} /></span></> },
            { head: 'Token', num: true, cell: (row) => <Token base={row.token} /> },
            { head: 'Stablecoin', num: true, cell: (row) => <Usd micro={row.stable} /> },
            { head: 'Credits', num: true, cell: (row) => <Credits credits={row.credits} /> },
          ]} />
          <Pager next={data.next_cursor} csv="/v1/accounts.csv" />
        </>
      )}
    </Block>
  );
}

function Validators() {
  const list = useGet('/v1/validators', { params: { query: { limit: 100 } } });
  return (
    <Block title="Validators: they order and sign blocks" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="The chain has one validator, its founder." /> : undefined)}>
      {(data) => (
        <Table label="Validators" rows={data.items} rowKey={(row) => row.key} columns={[
          { head: 'Validator', lead: true, cell: (row) => <a href={`/ledger/accounts/${row.account}`}>Account {row.number}</a> },
          { head: 'Key', wrap: true, cell: (row) => <code>{row.key}</code> },
          { head: 'Address', cell: (row) => row.address },
        ]} />
      )}
    </Block>
  );
}

function Verifiers() {
  const list = useGet('/v1/verifiers', { params: { query: { limit: 100 } } });
  return (
    <Block title="Verifiers: they judge reports, with a bond" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="Nobody has bonded as a verifier yet." /> : undefined)}>
      {(data) => (
        <Table label="Verifiers" rows={data.items} rowKey={(row) => row.id} columns={[
          { head: 'Verifier', lead: true, cell: (row) => <a href={`/ledger/accounts/${row.id}`}>Account {row.number}</a> },
          { head: 'Address', wrap: true, cell: (row) => row.url ?? <span class="muted">none told</span> },
          { head: 'Bond', num: true, cell: (row) => <Token base={row.bond} /> },
          { head: 'Agreed', num: true, cell: (row) => count(row.agreed / 1000) },
          { head: 'Differed', num: true, cell: (row) => count(row.differed / 1000) },
          { head: 'Slashed', num: true, cell: (row) => count(row.slashed) },
        ]} />
      )}
    </Block>
  );
}
