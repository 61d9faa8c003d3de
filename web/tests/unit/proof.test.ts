/** The check in the page of records, against proofs that a real node gave; every byte of them counts. */
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/verify/bytes';
import { decode } from '../../src/verify/decode';
import { verifyRecord } from '../../src/verify/proof';
import { isHex, isNumber, isText, recordKey } from '../../src/verify/record';
import vector from '../fixtures/proofs.json';

const { anchor, records } = vector;
type Kind = Parameters<typeof recordKey>[0];

describe('records', () => {
  test.each(records)('a record of the kind $kind is proven', ({ kind, id, epoch, key, height, proof, begins }) => {
    expect(recordKey(kind as Kind, id, epoch ?? undefined)).toBe(key);
    const proven = verifyRecord(anchor, key, proof);
    expect(Number(proven.header.height)).toBe(height);
    const record = proven.record as unknown[];
    begins.forEach((said, at) => {
      if (said === null) return;
      const field = record[at];
      expect(isNumber(field, /^\d{1,20}$/.test(String(said)) ? said : 0) || isHex(field, String(said)) || isText(field, String(said))).toBe(true);
    });
  });

  test('a proof of one record proves no other', () => {
    for (const [at, { key }] of records.entries()) {
      const other = records[(at + 1) % records.length]!;
      expect(() => verifyRecord(anchor, key, other.proof)).toThrow('root');
    }
  });

  test('no byte of a proof may be another', () => {
    const { key, proof } = records[0]!;
    const bytes = fromHex(proof);
    // One byte in each stretch of 40: header, certificate, value, path, log's root and the key that comes next.
    for (let at = 0; at < bytes.length; at += 40) {
      const forged = bytes.slice();
      forged[at] = forged[at]! ^ 1;
      expect(() => verifyRecord(anchor, key, toHex(forged)), `byte ${at}`).toThrow();
    }
    expect(() => verifyRecord(anchor, key, proof.slice(0, -2))).toThrow();
    expect(() => verifyRecord(anchor, key, `${proof}00`)).toThrow();
  });

  test('another chain’s key proves nothing', () => {
    const { key, proof } = records[0]!;
    expect(() => verifyRecord({ ...anchor, genesis: '0'.repeat(64) }, key, proof)).toThrow('another genesis');
    expect(() => verifyRecord({ ...anchor, era: 1 }, key, proof)).toThrow('era');
  });

  test.each(['9fff', '1b00', '5bffffffffffffffff', 'a10102', 'fb3ff0000000000000', '81'.repeat(40), '8', ''])('%s is no value', (hex) => {
    expect(() => decode(fromHex(hex))).toThrow();
  });
});
