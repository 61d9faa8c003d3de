/**
 * Every block of a page has its states.
 * @vitest-environment happy-dom
 */
import { cleanup, fireEvent, render, screen } from '@testing-library/preact';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Block, sentence } from '../../src/ui/block';
import { Checked, Id, Tag } from '../../src/ui/values';
import { Table } from '../../src/ui/table';
import type { Loaded } from '../../src/api/use';

afterEach(cleanup);
type Data = { items: string[]; checked: 'recomputed' };
const show = (from: Partial<Loaded<Data>>) => render(
  <Block title="Things" from={{ state: 'loading', again: () => undefined, ...from }} empty={(data) => (data.items.length === 0 ? <p>None yet.</p> : undefined)}>
    {(data) => <p>{data.items.join()}</p>}
  </Block>,
);
const data: Data = { items: ['a', 'b'], checked: 'recomputed' };
const refusal = { code: 'unreachable', message: 'the explorer does not answer', hint: 'wait' };

describe('a block', () => {
  test('says that it loads', () => {
    show({});
    expect(screen.getByRole('status').textContent).toContain('Loading');
  });
  test('shows why it cannot, and asks again', () => {
    const again = vi.fn();
    show({ state: 'error', refusal, again });
    expect(screen.getByRole('alert').textContent).toContain('The explorer does not answer.');
    fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(again).toHaveBeenCalled();
  });
  test('says that there is nothing, without claiming a check', () => {
    show({ state: 'ready', data: { ...data, items: [] } });
    expect(screen.getByText('None yet.')).toBeTruthy();
    expect(screen.queryByText(/recomputed/)).toBeNull();
  });
  test('shows data and who checked it', () => {
    show({ state: 'ready', data });
    expect(screen.getByText('a,b')).toBeTruthy();
    expect(screen.getByText('recomputed by the explorer')).toBeTruthy();
  });
  test('keeps old data and says that it is old', () => {
    show({ state: 'stale', data, refusal });
    expect(screen.getByText('a,b')).toBeTruthy();
    expect(screen.getByRole('status').textContent).toContain('Not up to date');
  });
});

describe('values', () => {
  test('what nobody checked is said so', () => {
    render(<Checked by="served" />);
    expect(screen.getByText('not checked').className).toContain('not');
  });
  test('a name that is a script is text', () => {
    const { container } = render(<Table label="Names" rows={['<script>alert(1)</script>']} rowKey={(row) => row} columns={[{ head: 'Name', cell: (row) => row }]} />);
    expect(container.querySelector('script')).toBeNull();
    expect(screen.getByText('<script>alert(1)</script>')).toBeTruthy();
  });
  test('ids are short with the whole in the title, states are words', () => {
    render(<><Id id={'ab'.repeat(32)} /><Tag state="device_silent" /></>);
    expect(screen.getByText('abababab…abab').parentElement?.title).toBe('ab'.repeat(32));
    expect(screen.getByText('device silent')).toBeTruthy();
  });
});

describe('sentences', () => {
  test.each([
    ['it rains', 'It rains.'], ['Give 2 token to account 4955e028…', 'Give 2 token to account 4955e028…'], ['f5a170b0… paid a fee', 'f5a170b0… paid a fee.'], ['is it?', 'Is it?'], ['out of order b8272df9….', 'Out of order b8272df9…'],
  ])('%s', (text, whole) => expect(sentence(text)).toBe(whole));
});
