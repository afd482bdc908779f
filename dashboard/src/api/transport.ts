// How the page talks to the server: the only file that calls `fetch`.
//
// A failed call throws an `ApiError` whose `kind` says what the page has to do about it.

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

/**
 * - `poisoned`: no event can be stored until the server has restarted; questions are answered
 * - `refusing`: no event can be stored for the time being, as a rule for a full disk; questions are answered
 * - `stopping`, `not ready`: questions may be refused
 */
export type Health = 'well' | 'poisoned' | 'refusing' | 'stopping' | 'not ready';

/** How the server is, by its own account. An error if it gives none. */
export async function health(signal?: AbortSignal): Promise<Health> {
  const limit = AbortSignal.timeout(HEALTH_MS_MAX);
  const init = { signal: signal ? AbortSignal.any([signal, limit]) : limit };
  const ready = await fetch('/health/ready', init).then(finish);
  const detailed = await fetch('/health/detailed', init);
  const { ingest } = (await detailed.json()) as { ingest: string };
  if (ingest === 'poisoned' || ingest === 'stopping') return ingest;
  if (!ready) return 'not ready';
  return ingest === 'disk_reserve' || ingest === 'no_segment' ? 'refusing' : 'well';
}

/** Whether questions can be answered; they are also while the log takes no events. Never throws. */
export const isAnswering = (): Promise<boolean> =>
  health().then(
    (state) => state !== 'stopping' && state !== 'not ready',
    () => false,
  );

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

export async function json<T>(path: string, init: RequestInit = {}): Promise<T> {
  return read<T>(await patient(path, init), init.signal);
}

/** Changes something. Never tried a second time by itself. */
export async function send<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<T> {
  const json = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  return read<T>(await call(path, { method, ...json }), null);
}

/** Reads an answer to its end although nobody wants its text: until then it occupies a connection. */
async function finish(response: Response): Promise<boolean> {
  await response.text();
  return response.ok;
}

/** The JSON of an answer. The time for it goes on while it arrives, and a connection can break in the middle of it. */
export async function read<T>(response: Response, asker: AbortSignal | null | undefined): Promise<T> {
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
export async function patient(
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
