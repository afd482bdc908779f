// What the page shows is in its address and nowhere else, so that every view can be linked, reloaded and gone back to.
//
//   ?site=example.com&period=custom&from=2026-01-01&to=2026-01-31&filter=countries:DE&metric=pageviews
//
// Defaults are left out. What does not parse counts as absent.
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Comparison, Dimension, Filter, Question } from '../api';
import { formatComparison, isComparable, parseComparison } from './comparison';
import { formatFilter, parseFilters } from './filters';
import { isSiteId } from '../text/domain';
import { choose, isDimension } from './panels';
import { DEFAULT_PERIOD, isPeriod, rangeProblem, type PeriodId } from './period';

export type Metric = 'visitors' | 'pageviews';

export interface View {
  site: string | null;
  period: PeriodId;
  /** The two dates are set exactly if the period is `custom`. */
  from: string | null;
  to: string | null;
  /** What the figures are compared with. */
  compare: Comparison | null;
  /** What the figures are narrowed down to. */
  filters: readonly Filter[];
  metric: Metric;
  /** The tabs of the panels that are open instead of the first ones. */
  tabs: readonly Dimension[];
  /** The breakdown whose full list is open. */
  details: Dimension | null;
  /** The report below the panels. */
  explore: Explore;
  /** The steps of the funnel, as the server reads them; empty for none. */
  steps: string;
  /** Within which time they are taken. */
  window: FunnelWindow;
  /** The page whose visitors are followed; empty for none. */
  page: string;
  /** The event whose property is shown, and the key of that property; empty for any event, and for none. */
  event: string;
  property: string;
  /** The form for a new site is open. */
  adding: boolean;
}

export const EXPLORES = ['events', 'goals', 'funnel', 'retention', 'flow', 'realtime'] as const;

export const WINDOWS = ['1 day', '2 hours', '30 minutes'] as const;

export type FunnelWindow = (typeof WINDOWS)[number];

export type Explore = (typeof EXPLORES)[number];

export function parseView(search: string): View {
  const query = new URLSearchParams(search);
  const from = query.get('from') ?? '';
  const to = query.get('to') ?? '';
  const asked = query.get('period');
  const details = query.get('details');
  const site = query.get('site') ?? '';
  const period = isPeriod(asked) ? asked : DEFAULT_PERIOD;
  const custom = period === 'custom' && rangeProblem(from, to) === null;
  return {
    site: isSiteId(site) ? site : null,
    period: period === 'custom' && !custom ? DEFAULT_PERIOD : period,
    from: custom ? from : null,
    to: custom ? to : null,
    compare: parseComparison(query),
    filters: parseFilters(query.getAll('filter')),
    metric: query.get('metric') === 'pageviews' ? 'pageviews' : 'visitors',
    tabs: (query.get('tabs') ?? '').split(',').filter(isDimension).reduce(choose, []),
    details: isDimension(details) ? details : null,
    explore: EXPLORES.find((one) => one === query.get('explore')) ?? EXPLORES[0],
    steps: query.get('steps') ?? '',
    window: WINDOWS.find((one) => one === query.get('window')) ?? WINDOWS[0],
    page: query.get('page') ?? '',
    event: query.get('event') ?? '',
    property: query.get('property') ?? '',
    adding: query.has('new'),
  };
}

export function formatView(view: View): string {
  const query = new URLSearchParams();
  if (view.site) query.set('site', view.site);
  if (view.period !== DEFAULT_PERIOD) query.set('period', view.period);
  if (view.from && view.to) {
    query.set('from', view.from);
    query.set('to', view.to);
  }
  if (view.compare) formatComparison(query, view.compare);
  for (const filter of view.filters) query.append('filter', formatFilter(filter));
  if (view.metric !== 'visitors') query.set('metric', view.metric);
  if (view.tabs.length > 0) query.set('tabs', view.tabs.join(','));
  if (view.details) query.set('details', view.details);
  if (view.explore !== EXPLORES[0]) query.set('explore', view.explore);
  if (view.steps) query.set('steps', view.steps);
  if (view.window !== WINDOWS[0]) query.set('window', view.window);
  if (view.page) query.set('page', view.page);
  if (view.event) query.set('event', view.event);
  if (view.property) query.set('property', view.property);
  if (view.adding) query.set('new', '');
  const text = query.toString();
  return text ? `?${text}` : '';
}

/** The question that a view asks of a site. */
export function questionOf({ period, from, to, filters }: View, site: string): Question {
  return { site, period, from, to, filters };
}

/** What they are compared with in fact: some periods have nothing to be compared with. */
export const comparisonOf = ({ period, compare }: View): Comparison | null =>
  isComparable(period) ? compare : null;

export interface Navigation {
  view: View;
  /** Goes to a changed view; `replace` leaves no step to go back to. */
  go: (change: Partial<View>, how?: 'push' | 'replace') => void;
}

export function useNavigation(): Navigation {
  const [search, setSearch] = useState(location.search);

  useEffect(() => {
    const follow = () => setSearch(location.search);
    addEventListener('popstate', follow);
    return () => removeEventListener('popstate', follow);
  }, []);

  return useMemo(() => {
    const go: Navigation['go'] = (change, how = 'push') => {
      const next = formatView({ ...parseView(location.search), ...change });
      const address = location.pathname + next;
      if (how === 'replace') history.replaceState(null, '', address);
      else if (next !== location.search) history.pushState(null, '', address);
      setSearch(next);
    };
    return { view: parseView(search), go };
  }, [search]);
}
