/** Everyone who earns, by what they earned. */
import { useLocation } from 'preact-iso';
import { useGet } from '../api/use';
import { count } from '../format/amounts';
import { useTitle } from '../title';
import { Block, Empty } from '../ui/block';
import { Pager, Table } from '../ui/table';
import { Id, Token, Units, Usd } from '../ui/values';

export function Operators() {
  useTitle('Operators');
  const { query } = useLocation();
  const list = useGet('/v1/operators', { params: { query: { limit: 25, cursor: query.cursor } } });
  return (
    <>
      <div class="head"><div><h1>Operators</h1><p class="lead">They own devices and are paid for what their devices measured or covered, as far as it was believed.</p></div></div>
      <Block title="All operators" from={list} flush empty={(data) => (data.items.length === 0 ? <Empty title="Nobody operates a device yet.">Register one with <code>cairn device register</code>.</Empty> : undefined)}>
        {(data) => (
          <>
            <Table label="Operators" rows={data.items} rowKey={(row) => row.id} columns={[
              { head: 'Operator', lead: true, cell: (row) => <><a href={`/operators/${row.id}`}>Account {row.number}</a> <span class="muted"><Id id={row.id} /></span></> },
              { head: 'Devices earning', num: true, cell: (row) => `${count(row.active)} of ${count(row.devices)}` },
              { head: 'Units', num: true, cell: (row) => <Units micro={row.units} /> },
              { head: 'Token', num: true, cell: (row) => <Token base={row.token} /> },
              { head: 'Stablecoin', num: true, cell: (row) => <Usd micro={row.stable} /> },
              { head: 'Worth at receipt', num: true, cell: (row) => <Usd micro={row.usd_micro} /> },
            ]} />
            <Pager next={data.next_cursor} csv="/v1/operators.csv" />
          </>
        )}
      </Block>
    </>
  );
}
