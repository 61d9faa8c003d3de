/** What a chart draws behind its lines. */
import { expect, test } from 'vitest';
import { joined } from '../../src/ui/chart';

test('stretches that touch or overlap are drawn as one', () => {
  expect(joined([{ from: 7, to: 9 }, { from: 1, to: 3 }, { from: 3, to: 5 }, { from: 4, to: 4.5 }])).toEqual([{ from: 1, to: 5 }, { from: 7, to: 9 }]);
  expect(joined([])).toEqual([]);
});
