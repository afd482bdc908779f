// Everything the page asks of the server, typed. The only file that calls `fetch`.
//
// A failed call throws an `ApiError` whose `kind` says what the page has to do about it.

export type Dimension =
  | 'pages'
  | 'entry_pages'
  | 'exit_pages'
  | 'hostnames'
  | 'sources'
  | 'referrers'
  | 'channels'
  | 'utm_campaigns'
  | 'utm_sources'
  | 'utm_mediums'
  | 'utm_contents'
  | 'utm_terms'
  | 'countries'
  | 'regions'
  | 'cities'
  | 'devices'
  | 'screen_sizes'
  | 'browsers'
  | 'browser_versions'
  | 'os'
  | 'os_versions';

/** Only what has this value; the word for a missing value finds what has none. */
export interface Filter {
  dimension: Dimension;
  value: string;
}

/** What a stats request is about; `period` counts unless both dates are given. */
export interface Question {
  site: string;
  period: string;
  from: string | null;
  to: string | null;
  filters: readonly Filter[];
}

/** The days that an answer is compared with; the two dates are set exactly if they are of one's own. */
export interface Comparison {
  kind: 'previous_period' | 'year_over_year' | 'custom';
  from: string | null;
  to: string | null;
  /** Moved by a few days, so that both ranges begin on the same day of the week. */
  weekdays: boolean;
}

/** A report, and the same of other days; both null unless they were asked for. */
export interface Compared<T> {
  current: T;
  comparison: T | null;
  range: { start_date: string; end_date: string } | null;
}

export interface Figures {
  unique_visitors: number;
  total_pageviews: number;
  visits: number;
  views_per_visit: number;
  bounce_rate: number;
  /** null: every visit of the range has hour-rounded times. */
  avg_visit_duration_secs: number | null;
}

export interface Bucket {
  /** Local to the site: `2024-01-15 10:00` or `2024-01-15`, the first minute or day of the bucket. */
  date: string;
  /** The same instant, RFC 3339 in UTC. */
  start: string;
  visitors: number;
  pageviews: number;
}

export interface Row {
  value: string;
  visitors: number;
  pageviews: number;
}

/** A custom event, or a value of a property. */
export interface EventRow extends Row {
  events: number;
  /** One sum for each currency, decimal text; never added up. */
  revenue: { currency: string | null; amount: string }[];
}

export interface FunnelStep {
  step: number;
  label: string;
  visitors: number;
  /** From the step before. */
  conversion_rate: number;
  overall_conversion_rate: number;
}

export interface Cohort {
  cohort_date: string;
  cohort_size: number;
  /** null: the week has not begun, or the identity cannot tell. */
  retained: (number | null)[];
  identity: 'user' | 'daily_visitor';
}

export interface NextPage {
  next_page: string;
  visitors: number;
}

export interface Journeys {
  visits: number;
  steps: { step: number; reached: number; dropped: number }[];
  paths: { pages: string[]; visits: number }[];
  other: number;
}

export interface Goal {
  id: number;
  name: string;
  conversions: number;
  unique_conversions: number;
  conversion_rate: number;
  revenue: { currency: string | null; amount: string }[];
}

export interface Realtime {
  visitors: number;
  pageviews: number;
  events: number;
  minutes: Bucket[];
}

export interface Site {
  site_id: string;
  timezone: string | null;
  events_total: number;
}

/** An answer, and the days it had to leave out because their data is damaged. */
export interface Answer<T> {
  value: T;
  incomplete: string | null;
}

/**
 * - `unreachable`: no answer at all
 * - `late`: no answer in time, from a server that may be well; asking everything again would make it slower still
 * - `starting`: the server is up, but cannot answer questions yet
 * - `unauthorised`: log in first
 * - `refused`: anything else; `message` is the server's own sentence
 */
export type ErrorKind = 'unreachable' | 'late' | 'starting' | 'unauthorised' | 'refused';

export class ApiError extends Error {
  constructor(
    readonly kind: ErrorKind,
    readonly status: number,
    message: string,
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
  }
}

/** Longer than the server lets a question take, unless it is told otherwise; how it is, it says at once. */
const ANSWER_MS_MAX = 45_000;
const HEALTH_MS_MAX = 5000;

/** The server answers 429 when too many queries run at once; it says itself when to come back. */
const BUSY_RETRIES_MAX = 4;
const BUSY_WAIT_S_MAX = 5;

let underWay = 0;

/** Whether something has been asked and not answered: no time to ask again by oneself, which would end it. */
export const isAsking = () => underWay > 0;

export const auth = {
  status: () => json<{ setup_required: boolean; authenticated: boolean }>('/api/auth/status'),
  setUp: (password: string, token: string) =>
    post('/api/auth/setup', token ? { password, setup_token: token } : { password }),
  logIn: (password: string) => post('/api/auth/login', { password }),
  logOut: () => post('/api/auth/logout'),
};

/**
 * - `poisoned`: no event can be stored until the server has restarted; questions are answered
 * - `full`: no event can be stored until the disk has room; questions are answered
 * - `stopping`, `not ready`: questions may be refused
 */
export type Health = 'well' | 'poisoned' | 'full' | 'stopping' | 'not ready';

/** How the server is, by its own account. An error if it gives none. */
export async function health(signal?: AbortSignal): Promise<Health> {
  const limit = AbortSignal.timeout(HEALTH_MS_MAX);
  const init = { signal: signal ? AbortSignal.any([signal, limit]) : limit };
  const ready = await fetch('/health/ready', init).then(finish);
  const detailed = await fetch('/health/detailed', init);
  const { ingest } = (await detailed.json()) as { ingest: string };
  if (ingest === 'poisoned' || ingest === 'stopping') return ingest;
  if (!ready) return 'not ready';
  return ingest === 'disk_reserve' ? 'full' : 'well';
}

/** Whether questions can be answered; they are also while the log takes no events. Never throws. */
export const isAnswering = (): Promise<boolean> =>
  health().then(
    (state) => state !== 'stopping' && state !== 'not ready',
    () => false,
  );

export const sites = (signal: AbortSignal) => json<Site[]>('/api/sites', { signal });

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

/** Changes the goals of a site. */
export const goalList = {
  add: (site: string, kind: 'page' | 'event', about: string) =>
    post(`/api/sites/${encodeURIComponent(site)}/goals`, { [kind]: about }),
  remove: async (site: string, id: number) => {
    await finish(await call(`/api/sites/${encodeURIComponent(site)}/goals/${id}`, { method: 'DELETE' }));
  },
};

export const realtime = (question: Question, signal: AbortSignal) =>
  stats<Realtime>('realtime', question, {}, signal);

/** Where a file of the range is found. The server gives events only without filters. */
export const exportAddress = (question: Question, kind: 'daily' | 'events', format: 'csv' | 'json') =>
  address('export', kind === 'events' ? { ...question, filters: [] } : question, { kind, format });

/** A file, once all of it is there. However long that takes: a long range has many events. */
export async function download(address: string): Promise<{ content: Blob; name: string }> {
  const response = await patient(address, {}, null);
  const [, name = 'export'] =
    /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '') ?? [];
  const content = await response.blob().catch(() => {
    throw new ApiError('refused', 0, 'The file broke off in the middle. Try again, or ask for fewer days.');
  });
  return { content, name };
}

function address(
  report: string,
  { site, period, from, to, filters }: Question,
  extra: Record<string, string>,
): string {
  const range = from && to ? { start_date: from, end_date: to } : { period };
  const only = filters.map(({ dimension, value }) => ['is', dimension, [value]]);
  const narrowed = only.length > 0 ? { filters: JSON.stringify(only) } : {};
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

async function json<T>(path: string, init: RequestInit = {}): Promise<T> {
  return read<T>(await patient(path, init), init.signal);
}

async function post(path: string, body?: object): Promise<void> {
  const json = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  await finish(await call(path, { method: 'POST', ...json }));
}

/** Reads an answer to its end although nobody wants its text: until then it occupies a connection. */
async function finish(response: Response): Promise<boolean> {
  await response.text();
  return response.ok;
}

/** The JSON of an answer. The time for it goes on while it arrives, and a connection can break in the middle of it. */
async function read<T>(response: Response, asker: AbortSignal | null | undefined): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch (cause) {
    throw failure(cause, asker);
  }
}

/** What stands behind a call that came to no good end; the asker's own abort stays what it is. */
function failure(cause: unknown, asker: AbortSignal | null | undefined): unknown {
  if (asker?.aborted) return cause;
  if (cause instanceof DOMException && cause.name === 'TimeoutError')
    return new ApiError('late', 0, `The answer took longer than ${ANSWER_MS_MAX / 1000} seconds.`);
  if (cause instanceof SyntaxError) return new ApiError('refused', 0, 'The answer makes no sense.');
  return new ApiError('unreachable', 0, 'The server cannot be reached.');
}

/** A call that waits its turn when the server is busy. Only for requests that change nothing. */
async function patient(
  path: string,
  init: RequestInit,
  limitMs: number | null = ANSWER_MS_MAX,
): Promise<Response> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await call(path, init, limitMs);
    } catch (error) {
      const busy = error instanceof ApiError && error.status === 429;
      if (!busy || retries >= BUSY_RETRIES_MAX) throw error;
      await pause(Math.min(error.retryAfterS ?? 1, BUSY_WAIT_S_MAX) * 1000, init.signal);
    }
  }
}

async function call(
  path: string,
  init: RequestInit,
  limitMs: number | null = ANSWER_MS_MAX,
): Promise<Response> {
  const limits = [init.signal, limitMs === null ? null : AbortSignal.timeout(limitMs)];
  const signal = AbortSignal.any(limits.filter((limit) => limit instanceof AbortSignal));
  let response: Response;
  underWay += 1;
  try {
    response = await fetch(path, { ...init, signal });
  } catch (cause) {
    throw failure(cause, init.signal);
  } finally {
    underWay -= 1;
  }
  if (!response.ok) throw await refusal(path, response);
  return response;
}

async function refusal(path: string, response: Response): Promise<ApiError> {
  const { status } = response;
  const message = await response.json().then(
    (body: { error?: string }) => body.error,
    () => undefined,
  );
  const retryAfterS = Number(response.headers.get('retry-after')) || null;
  const kind = await kindOf(path, status);
  return new ApiError(kind, status, message ?? `The server answered with status ${status}.`, retryAfterS);
}

async function kindOf(path: string, status: number): Promise<ErrorKind> {
  // A wrong password is 401 too, and is no reason to leave the form.
  if (status === 401 && !path.startsWith('/api/auth/')) return 'unauthorised';
  // A query that ran out of time is 503 too, from a server that answers.
  if (status === 503 && !(await isAnswering())) return 'starting';
  return 'refused';
}

function pause(ms: number, signal: AbortSignal | null | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });
}
