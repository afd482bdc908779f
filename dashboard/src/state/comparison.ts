// The earlier days that the figures are compared with.
import type { Comparison } from '../api';
import { rangeOf, rangeProblem, type PeriodId } from './period';

export const COMPARISONS: readonly { id: Comparison['kind']; label: string; key?: string }[] = [
  { id: 'previous_period', label: 'Previous period', key: 'x' },
  { id: 'year_over_year', label: 'Same period last year' },
  { id: 'custom', label: 'Custom range' },
];

/** Before all time there is nothing, and the last minutes are compared with no others. */
export const isComparable = (period: PeriodId) => period !== 'all' && period !== 'realtime';

/**
 * Whether only today is shown, which is not over. The server compares whole days, so that every count of a morning would
 * look like a fall.
 */
export function isTodayAlone(
  period: PeriodId,
  from: string | null,
  to: string | null,
  today: string,
): boolean {
  const range = from && to ? { from, to } : rangeOf(period, today);
  return period !== 'realtime' && range?.from === today && range.to === today;
}

export function parseComparison(query: URLSearchParams): Comparison | null {
  const asked = COMPARISONS.find(({ id }) => id === query.get('compare'));
  if (!asked) return null;
  const weekdays = query.has('weekdays');
  if (asked.id !== 'custom') return { kind: asked.id, from: null, to: null, weekdays };
  const from = query.get('compare_from') ?? '';
  const to = query.get('compare_to') ?? '';
  return rangeProblem(from, to) === null ? { kind: 'custom', from, to, weekdays } : null;
}

export const compareWith = (kind: Comparison['kind'], last: Comparison | null): Comparison => ({
  kind,
  from: null,
  to: null,
  weekdays: last?.weekdays ?? false,
});

/** Writes into `query` what `parseComparison` reads. */
export function formatComparison(query: URLSearchParams, { kind, from, to, weekdays }: Comparison): void {
  query.set('compare', kind);
  if (from && to) {
    query.set('compare_from', from);
    query.set('compare_to', to);
  }
  if (weekdays) query.set('weekdays', '');
}
