/** Tables: right-aligned numbers, rows that become cards on narrow screens, and a pager with links that can be shared. */
import type { ComponentChildren } from 'preact';
import { useLocation } from 'preact-iso';

export interface Column<T> {
  head: string;
  cell: (row: T) => ComponentChildren;
  num?: boolean;
  /** Long text: may break anywhere. */
  wrap?: boolean;
  /** The row's name when rows are cards. */
  lead?: boolean;
  /** Left out on narrow screens; a click away. */
  minor?: boolean;
}

export function Table<T>({ label, columns, rows, rowKey }: { label: string; columns: Column<T>[]; rows: T[]; rowKey: (row: T, at: number) => string | number }) {
  const kind = (column: Column<T>) => [column.num && 'num', column.wrap && 'wrap', column.lead && 'lead', column.minor && 'minor'].filter(Boolean).join(' ');
  return (
    <div class="table-wrap" role="region" aria-label={label} tabIndex={0}>
      <table class="stack" role="table">
        <caption class="visually-hidden">{label}</caption>
        <thead role="rowgroup">
          <tr role="row">{columns.map((column) => <th key={column.head} scope="col" role="columnheader" class={column.num ? 'num' : ''}>{column.head}</th>)}</tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row, at) => (
            <tr key={rowKey(row, at)} role="row">
              {columns.map((column) => <td key={column.head} role="cell" data-label={column.head} class={kind(column)}>{column.cell(row)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Below a list: the next page, back to the first, and the same list as a file. */
export function Pager({ next, csv, name = 'cursor' }: { next: string | null | undefined; csv?: string; name?: string }) {
  const { path, query } = useLocation();
  const paged = query[name] !== undefined;
  if (!next && !paged && !csv) return null;
  const to = (cursor?: string) => {
    const all = new URLSearchParams(query);
    if (cursor) all.set(name, cursor);
    else all.delete(name);
    const text = all.toString();
    return text ? `${path}?${text}` : path;
  };
  return (
    <div class="pager">
      <span class="links">
        {paged && <a href={to()}>First page</a>}
        {next && <a href={to(next)}>Next page</a>}
      </span>
      {csv && <a href={csv} download>Download CSV</a>}
    </div>
  );
}

export function Stats({ children }: { children: ComponentChildren }) {
  return <dl class="stats">{children}</dl>;
}

export function Stat({ label, children, sub, define }: { label: string; children: ComponentChildren; sub?: ComponentChildren; define?: ComponentChildren }) {
  return <div class="stat"><dt>{label}{define}</dt><dd>{children}{sub && <small>{sub}</small>}</dd></div>;
}

export function Pairs({ items }: { items: [string, ComponentChildren][] }) {
  return <dl class="pairs">{items.map(([name, value]) => [<dt key={`${name}.`}>{name}</dt>, <dd key={name}>{value}</dd>])}</dl>;
}

/** Shares of a whole, the largest first: a bar, its name and its count. */
export function Bars({ rows, good = false }: { rows: { key: string | number; name: ComponentChildren; value: number; text: ComponentChildren }[]; good?: boolean }) {
  const most = Math.max(1, ...rows.map((row) => row.value));
  return (
    <ul class="bars">
      {rows.map((row) => (
        <li key={row.key}>
          <span>{row.name}</span><span class="num">{row.text}</span>
          <span class={good ? 'track good' : 'track'}><i style={{ width: `${(100 * row.value) / most}%` }} /></span>
        </li>
      ))}
    </ul>
  );
}
