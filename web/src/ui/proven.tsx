/** Says that this page proved a record from the validators' key, or why it could not. */
import { count } from '../format/amounts';
import { type Part, recordKey, useRecord } from '../verify/record';
import { Icon } from './icon';

interface ProvenProps {
  kind: Parameters<typeof recordKey>[0];
  id: string;
  epoch?: number;
  /** The block whose state is shown. */
  height: number;
  /** Whether a record says what is shown. */
  same: Part;
  /** What is proven, in words: 'balances', 'owner'. */
  what: string;
}

export function ProvenRecord({ kind, id, epoch, height, same, what }: ProvenProps) {
  const verdict = useRecord(recordKey(kind, id, epoch), height, same);
  switch (verdict.state) {
    case 'holds': return (
      <span class="checked by-page" title={`Your browser followed a proof from the validators’ signature over block ${verdict.height} to this record.`}>
        <Icon name="tick" size={14} />{what} proven by this page, block {count(verdict.height)}
      </span>
    );
    case 'broken': return <span class="checked not" role="alert"><Icon name="alert" size={14} />{what} not proven: {verdict.why}</span>;
    case 'changed': return <span class="checked">{what} changed with block {count(verdict.height)}</span>;
    case 'unproven': return <span class="checked" title="The node gives no proof now."><Icon name="tick" size={14} />{what} recomputed by the explorer</span>;
    default: return <span class="checked">proving {what}…</span>;
  }
}
