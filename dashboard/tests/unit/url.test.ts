import { describe, expect, test } from 'vitest';
import { comparisonOf, formatView, parseView, type View } from '../../src/state/url';

describe('the address', () => {
  test('says everything that is shown, and is read back as it was', () => {
    const view: View = {
      site: 'example.com:8080',
      period: 'custom',
      from: '2026-01-01',
      to: '2026-01-31',
      compare: { kind: 'custom', from: '2025-01-01', to: '2025-01-31', weekdays: true },
      filters: [
        { operator: 'is', dimension: 'pages', values: ['/a:b&c=d, e'] },
        { operator: 'is', dimension: 'sources', values: ['(direct)'] },
      ],
      metric: 'pageviews',
      tabs: ['exit_pages', 'utm_terms', 'cities'],
      details: 'referrers',
      explore: 'funnel',
      steps: 'page:/,event:sign up',
      window: '2 hours',
      page: '/pricing',
      event: 'Sign up',
      property: 'plan',
      adding: false,
    };
    expect(parseView(formatView(view))).toEqual(view);
  });

  test('is empty for the defaults', () => {
    expect(formatView(parseView(''))).toBe('');
  });

  test('falls back to the default where it makes no sense', () => {
    const fallback = { period: '30d', from: null, to: null, metric: 'visitors', details: null };
    expect(parseView('?period=fortnight&metric=likes&details=passwords')).toMatchObject(fallback);
    expect(parseView('?period=custom&from=2026-02-30&to=2026-03-01')).toMatchObject(fallback);
    expect(parseView('?period=custom&from=2026-03-02&to=2026-03-01')).toMatchObject(fallback);
    expect(parseView('?period=custom&from=2026-03-02')).toMatchObject(fallback);
    expect(parseView('?site=no+site+is+called+that').site).toBeNull();
  });

  test('has at most one open tab for each panel, and none that is open anyway', () => {
    const { tabs } = parseView('?tabs=exit_pages,entry_pages,cities,countries,passwords,os_versions');
    expect(tabs).toEqual(['entry_pages', 'os_versions']);
  });

  test('has one filter for each dimension, and no others', () => {
    const { filters } = parseView('?filter=pages:/a&filter=countries:DE&filter=secrets:x&filter=pages:/b');
    expect(filters).toEqual([
      { operator: 'is', dimension: 'pages', values: ['/b'] },
      { operator: 'is', dimension: 'countries', values: ['DE'] },
    ]);
  });

  test('is compared with nothing where the other days are not said', () => {
    expect(parseView('?compare=year_over_year').compare).toMatchObject({ kind: 'year_over_year' });
    expect(parseView('?compare=custom&compare_from=2025-01-01').compare).toBeNull();
    expect(parseView('?compare=yesterday').compare).toBeNull();
    expect(comparisonOf(parseView('?period=all&compare=previous_period'))).toBeNull();
  });

  test('carries dates only with the period custom', () => {
    expect(parseView('?period=7d&from=2026-01-01&to=2026-01-31')).toMatchObject({ period: '7d', from: null });
  });
});
