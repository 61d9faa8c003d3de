/** The check in the page against blocks that real validators signed. */
import { describe, expect, test } from 'vitest';
import { type Anchor, verifyFinality } from '../../src/verify/certificate';
import { headerDigest } from '../../src/verify/header';
import vector from '../fixtures/finality.json';

const anchor: Anchor = vector.anchor;
const flip = (hex: string, at: number) => {
  const index = at < 0 ? hex.length + at : at;
  return hex.slice(0, index) + (hex[index] === '0' ? '1' : '0') + hex.slice(index + 1);
};
const last = vector.blocks.find((block) => block.height === 302)!;
const before = vector.blocks.find((block) => block.height === 301)!;

describe('finality', () => {
  test.each(vector.blocks)('block $height is what its validators signed', (block) => {
    expect(headerDigest(block.header)).toBe(block.digest);
    const header = verifyFinality(anchor, [block.header], block.certificate);
    expect(header.height).toBe(BigInt(block.height));
    expect(new Date(Number(header.timeMs)).toISOString().replace('.000', '')).toBe(block.time);
    expect(header.txRoot).toBe(block.transaction_root);
    expect(header.receiptRoot).toBe(block.receipt_root);
    expect(header.stateRoot).toBe(block.state_root);
    expect(header.leader).toBe(block.leader);
    expect(header.parent).toBe(block.parent);
    expect(header.view).toBe(BigInt(block.view));
  });

  test('a block is final through the certificate of its child', () => {
    expect(verifyFinality(anchor, [before.header, last.header], last.certificate).height).toBe(301n);
    expect(() => verifyFinality(anchor, [last.header, before.header], before.certificate)).toThrow('parent');
  });

  const refusals: [string, () => unknown, string][] = [
    ['another signature', () => verifyFinality(anchor, [last.header], flip(last.certificate, -150)), 'not signed'],
    ['another seed', () => verifyFinality(anchor, [last.header], flip(last.certificate, -20)), 'not signed'],
    ['another chain', () => verifyFinality({ ...anchor, chain: 'other' }, [last.header], last.certificate), 'not signed'],
    ['another key', () => verifyFinality({ ...anchor, group_key: flip(anchor.group_key, 40) }, [last.header], last.certificate), 'not signed'],
    ['another genesis', () => verifyFinality({ ...anchor, genesis: flip(anchor.genesis, 3) }, [last.header], last.certificate), 'another genesis'],
    ['another header', () => verifyFinality(anchor, [before.header], last.certificate), 'finalizes another'],
    ['a changed header', () => verifyFinality(anchor, [flip(last.header, -40)], last.certificate), 'finalizes another'],
    ['a longer certificate', () => verifyFinality(anchor, [last.header], `${last.certificate}00`), 'malformed'],
    ['no headers', () => verifyFinality(anchor, [], last.certificate), 'no headers'],
    ['no bytes', () => verifyFinality(anchor, ['00'], last.certificate), '409 bytes'],
  ];
  test.each(refusals)('%s is refused', (_, check, message) => {
    expect(check).toThrow(message);
  });
});
