import { expect, test } from 'vitest';
import { PERIODS, isDate, rangeProblem } from '../../src/state/period';

test('only days that exist, zero-padded, are dates', () => {
  expect(isDate('2024-02-29')).toBe(true);
  for (const text of ['2026-02-29', '2026-1-5', '2026-13-01', 'today', '', null])
    expect(isDate(text)).toBe(false);
});

test('a range may be one day long and at most 3653 days', () => {
  expect(rangeProblem('2026-01-01', '2026-01-01')).toBeNull();
  expect(rangeProblem('2016-01-01', '2025-12-31')).toBeNull();
  expect(rangeProblem('2016-01-01', '2026-01-01')).toMatch(/ten years/);
  expect(rangeProblem('2026-01-02', '2026-01-01')).toMatch(/ends before/);
  expect(rangeProblem('', '2026-01-01')).toMatch(/both/);
});

test('every period has a shortcut of its own', () => {
  expect(new Set(PERIODS.map(({ key }) => key)).size).toBe(PERIODS.length);
});
