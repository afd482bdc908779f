// The reports: `/api/stats`.
import { wireOf } from './filters';
import { patient, read } from './transport';
import type {
  Answer,
  Bucket,
  Cohort,
  Compared,
  Comparison,
  Dimension,
  EventRow,
  Figures,
  FunnelStep,
  Goal,
  Journeys,
  NextPage,
  Question,
  Realtime,
  Row,
} from './types';

export const figures = (question: Question, signal: AbortSignal) =>
  stats<Figures>('main', question, {}, signal);

export const comparedFigures = (question: Question, comparison: Comparison | null, signal: AbortSignal) =>
  compared<Figures>('main', question, comparison, signal);

export const timeseries = (question: Question, comparison: Comparison | null, signal: AbortSignal) =>
  compared<Bucket[]>('timeseries', question, comparison, signal);

export const breakdown = (question: Question, of: Dimension, limit: number, signal: AbortSignal) =>
  stats<Row[]>(`breakdown/${of}`, question, { limit: String(limit) }, signal);

export const events = (question: Question, limit: number, signal: AbortSignal) =>
  stats<EventRow[]>('breakdown/events', question, { limit: String(limit) }, signal);

/** Events by the value of one of their properties. */
export const properties = (question: Question, key: string, limit: number, signal: AbortSignal) =>
  stats<EventRow[]>('breakdown/props', question, { key, limit: String(limit) }, signal);

export const funnel = (question: Question, steps: string, window: string, signal: AbortSignal) =>
  stats<FunnelStep[]>('funnel', question, { steps, window }, signal);

export const retention = (question: Question, weeks: number, signal: AbortSignal) =>
  stats<Cohort[]>('retention', question, { weeks: String(weeks) }, signal);

export const flow = (question: Question, page: string, signal: AbortSignal) =>
  stats<NextPage[]>('flow', question, { page }, signal);

export const journeys = (
  question: Question,
  from: string,
  direction: 'after' | 'before',
  signal: AbortSignal,
) => stats<Journeys>('journeys', question, { from, direction }, signal);

export const goals = (question: Question, signal: AbortSignal) =>
  stats<Goal[]>('goals', question, {}, signal);

export const realtime = (question: Question, signal: AbortSignal) =>
  stats<Realtime>('realtime', question, {}, signal);

/** Where a file of the range is found. The server gives events only without filters. */
export const exportAddress = (question: Question, kind: 'daily' | 'events', format: 'csv' | 'json') =>
  address('export', kind === 'events' ? { ...question, filters: [] } : question, { kind, format });

function address(
  report: string,
  { site, period, from, to, filters }: Question,
  extra: Record<string, string>,
): string {
  const range = from && to ? { start_date: from, end_date: to } : { period };
  const narrowed = filters.length > 0 ? { filters: JSON.stringify(filters.map(wireOf)) } : {};
  return `/api/stats/${report}?${new URLSearchParams({ site_id: site, ...range, ...narrowed, ...extra })}`;
}

async function stats<T>(
  report: string,
  question: Question,
  extra: Record<string, string>,
  signal: AbortSignal,
): Promise<Answer<T>> {
  const response = await patient(address(report, question, extra), { signal });
  return { value: await read<T>(response, signal), incomplete: response.headers.get('x-mallard-incomplete') };
}

async function compared<T>(
  report: string,
  question: Question,
  comparison: Comparison | null,
  signal: AbortSignal,
): Promise<Answer<Compared<T>>> {
  if (!comparison) {
    const { value, incomplete } = await stats<T>(report, question, {}, signal);
    return { value: { current: value, comparison: null, range: null }, incomplete };
  }
  const { kind, from, to, weekdays } = comparison;
  const { value, incomplete } = await stats<{
    current: T;
    comparison: T;
    comparison_range: NonNullable<Compared<T>['range']>;
  }>(
    report,
    question,
    {
      compare: kind,
      ...(from && to && { compare_start_date: from, compare_end_date: to }),
      ...(weekdays && { match_day_of_week: 'true' }),
    },
    signal,
  );
  const { current, comparison: earlier, comparison_range: range } = value;
  return { value: { current, comparison: earlier, range }, incomplete };
}
