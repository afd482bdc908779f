import { describe, expect, test } from 'vitest';
import type { Bucket } from '../../src/api';
import { seriesOf, ticksOf } from '../../src/chart/series';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const start = Date.parse('2026-01-30T00:00:00Z');

function buckets(count: number, stepMs: number): Bucket[] {
  return Array.from({ length: count }, (_, i) => {
    const at = new Date(start + i * stepMs).toISOString();
    return {
      date: at.slice(0, stepMs < DAY ? 16 : 10).replace('T', ' '),
      start: at,
      visitors: i + 1,
      pageviews: 10,
    };
  });
}

describe('a series', () => {
  test('draws the running hour dashed and no hour that lies ahead', () => {
    const series = seriesOf(buckets(5, HOUR), null, 'visitors', 'hour', start + 2.5 * HOUR);
    expect(series.solid).toEqual([1, 2, null, null, null]);
    expect(series.dashed).toEqual([null, 2, 3, null, null]);
    expect(series.begun).toBe(3);
  });

  test('has no dashed end when the range is over', () => {
    const series = seriesOf(buckets(3, DAY), null, 'pageviews', 'day', start + 30 * DAY);
    expect(series.solid).toEqual([10, 10, 10]);
    expect(series.dashed).toEqual([null, null, null]);
  });

  test('has the days it is compared with beside it, also where it has not begun, and nothing where they end', () => {
    const series = seriesOf(buckets(4, HOUR), buckets(3, HOUR), 'visitors', 'hour', start + 1.5 * HOUR);
    expect(series.before).toEqual([1, 2, 3, null]);
    expect(seriesOf(buckets(2, HOUR), null, 'visitors', 'hour', start).before).toEqual([null, null]);
  });

  test('shows a first hour that is still running', () => {
    const series = seriesOf(buckets(24, HOUR), null, 'visitors', 'hour', start + 60_000);
    expect(series.solid.every((value) => value === null)).toBe(true);
    expect(series.dashed[0]).toBe(1);
  });
});

describe('ticks', () => {
  test('never crowd', () => {
    for (const count of [1, 7, 24, 30, 90, 366]) {
      for (const room of [2, 4, 9, 14]) {
        expect(ticksOf(buckets(count, DAY), 'day', room).length).toBeLessThanOrEqual(room);
      }
    }
  });

  test('name the newest day, and the first of a month where days would be too many', () => {
    expect(ticksOf(buckets(30, DAY), 'day', 15).at(-1)).toBe(29);
    const year = buckets(120, DAY);
    const dates = ticksOf(year, 'day', 6).map((i) => year[i]?.date);
    expect(dates).toEqual(['2026-02-01', '2026-03-01', '2026-04-01', '2026-05-01']);
  });

  test('name the year where there are only months', () => {
    const months = Array.from({ length: 24 }, (_, i) => {
      const date = new Date(Date.UTC(2024, 11 + i, 1)).toISOString().slice(0, 10);
      return { date, start: `${date}T00:00:00Z`, visitors: 0, pageviews: 0 };
    });
    const dates = ticksOf(months, 'month', 9).map((i) => months[i]?.date);
    expect(dates.slice(0, 3)).toEqual(['2025-01-01', '2025-04-01', '2025-07-01']);
  });

  test('start at midnight for hours', () => {
    expect(ticksOf(buckets(24, HOUR), 'hour', 8)).toEqual([0, 3, 6, 9, 12, 15, 18, 21]);
  });
});
