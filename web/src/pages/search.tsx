/** What has an id or a name like the one that was asked for. */
import { useLocation } from 'preact-iso';
import type { Schemas } from '../api/client';
import { useGet } from '../api/use';
import { useTitle } from '../title';
import { Block, Empty } from '../ui/block';
import { Table } from '../ui/table';
import { Id } from '../ui/values';

export function Search() {
  const { q = '' } = useLocation().query;
  useTitle(q ? `Search: ${q}` : 'Search');
  const found = useGet('/v1/search', q ? { params: { query: { q } } } : null, false);
  return (
    <>
      <div class="head"><div><h1>Search</h1><p class="lead">{q ? <>For “{q}”.</> : 'Type an id (six digits of it will do), a name, a block or an epoch above.'}</p></div></div>
      {q && (
        <Block title="Found" from={found} flush empty={(data) => (data.items.length === 0 ? <Empty title="Nothing has this id or name.">Six digits of an id are enough; names may be a part.</Empty> : undefined)}>
          {(data) => (
            <Table label="Found" rows={data.items} rowKey={(row) => row.kind + row.id} columns={[
              { head: 'Name', lead: true, cell: (row) => <a href={placeOf(row)}>{row.title}</a> },
              { head: 'Kind', cell: (row) => row.kind },
              { head: 'Id', cell: (row) => <Id id={row.id} /> },
            ]} />
          )}
        </Block>
      )}
    </>
  );
}

/** The page of what was found. */
function placeOf({ kind, id }: Schemas['Found']): string {
  switch (kind) {
    case 'block': return `/ledger/blocks/${id}`;
    case 'transaction': return `/ledger/transactions/${id}`;
    case 'order': return `/ledger/orders/${id}`;
    case 'epoch': return `/audit?epoch=${id}`;
    case 'account': case 'verifier': return `/ledger/accounts/${id}`;
    default: return `/${kind}s/${id}`;
  }
}
