/** Tables of the ledger that several pages show: transactions and events, each as a sentence. */
import type { Schemas } from '../api/client';
import { count } from '../format/amounts';
import { sentence } from './block';
import { Table } from './table';
import { Id, Time, Token } from './values';

export function Transactions({ rows, withBlock = true }: { rows: Schemas['TxRow'][]; withBlock?: boolean }) {
  return (
    <Table label="Transactions" rows={rows} rowKey={(row) => row.id} columns={[
      { head: 'Transaction', lead: true, cell: (row) => <Id id={row.id} href={`/ledger/transactions/${row.id}`} /> },
      { head: 'What it does', wrap: true, cell: (row) => sentence(row.sentence) },
      { head: 'By', cell: (row) => <a href={`/ledger/accounts/${row.account}`}>{row.account_number === null || row.account_number === undefined ? row.account.slice(0, 8) : `Account ${row.account_number}`}</a> },
      ...(withBlock ? [{ head: 'Block', num: true, cell: (row: Schemas['TxRow']) => <a href={`/ledger/blocks/${row.height}`}>{count(row.height)}</a> }, { head: 'Time', cell: (row: Schemas['TxRow']) => <Time at={row.time} /> }] : []),
      { head: 'Fee', num: true, cell: (row) => <Token base={row.fee} /> },
    ]} />
  );
}

export function Events({ rows }: { rows: Schemas['Event'][] }) {
  return (
    <Table label="Events" rows={rows} rowKey={(row) => `${row.height}.${row.index}`} columns={[
      { head: 'Event', lead: true, wrap: true, cell: (row) => sentence(row.sentence) },
      { head: 'Kind', cell: (row) => <code>{row.kind}</code> },
    ]} />
  );
}
