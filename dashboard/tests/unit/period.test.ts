import { expect, test } from 'vitest';
import { isTodayAlone } from '../../src/state/comparison';
import { PERIODS, isDate, rangeOf, rangeProblem, todayIn } from '../../src/state/period';

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

test('a range of one’s own begins with the days that are shown', () => {
  const of = (period: (typeof PERIODS)[number]['id']) => rangeOf(period, '2026-03-02');
  expect(of('day')).toEqual({ from: '2026-03-02', to: '2026-03-02' });
  expect(of('7d')).toEqual({ from: '2026-02-24', to: '2026-03-02' });
  expect(of('month')).toEqual({ from: '2026-03-01', to: '2026-03-02' });
  expect(of('year')).toEqual({ from: '2026-01-01', to: '2026-03-02' });
  expect(of('12mo')).toEqual({ from: '2025-04-01', to: '2026-03-02' });
  expect(of('all')).toBeNull();
});

test('today is the date at the site', () => {
  const now = new Date('2026-03-01T23:30:00Z');
  expect(todayIn('Asia/Tokyo', now)).toBe('2026-03-02');
  expect(todayIn('UTC', now)).toBe('2026-03-01');
});

test('a zone that the browser does not know is taken for UTC', () => {
  expect(todayIn('America/Atlantis', new Date('2026-03-01T23:30:00Z'))).toBe('2026-03-01');
});

test('a day that is not over is known as one, however it was chosen', () => {
  const today = '2026-03-01';
  expect(isTodayAlone('day', null, null, today)).toBe(true);
  expect(isTodayAlone('month', null, null, today)).toBe(true);
  expect(isTodayAlone('custom', today, today, today)).toBe(true);
  expect(isTodayAlone('7d', null, null, today)).toBe(false);
  expect(isTodayAlone('realtime', null, null, today)).toBe(false);
  expect(isTodayAlone('custom', '2026-02-28', '2026-02-28', today)).toBe(false);
});
