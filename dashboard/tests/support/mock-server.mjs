// A stand-in for the server: the built page with the real response headers, and believable data.
//
// `npm run mock` serves it by hand on port 8001. A test changes `state` to make it refuse, fail, wait or be empty.
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as data from './mock-data.mjs';
import { json, manage, refuse } from './mock-manage.mjs';

const DIST = join(import.meta.dirname, '../../dist');

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** The policy that CONTRACT §4.7 sets. */
export const CSP = "default-src 'self'; script-src 'self'; style-src 'self'";

export async function startMock({ port = 0, now = Date.now() } = {}) {
  if (!existsSync(join(DIST, 'index.html'))) throw new Error('There is no dist folder: npm run build');
  const state = {
    now,
    setupRequired: false,
    /** What a set-up must carry; null: none is asked for. */
    setupToken: null,
    password: 'correct horse',
    authenticated: true,
    /** false: the browser drops the cookie of the session. */
    keepsCookies: true,
    ready: true,
    /** What the server does with events; `poisoned` answers reports without being ready. */
    ingest: 'accepting',
    sites: data.SITES,
    empty: false,
    /** No value of any breakdown is known. */
    blank: false,
    /** Nothing was there before the range that is shown. */
    newborn: false,
    /** Reports that answer 500, as in `breakdown/sources`. */
    failing: new Set(),
    incomplete: null,
    goals: [{ id: 1, name: 'Signup', event: 'Signup' }],
    segments: [],
    keys: [data.key('Grafana', 'ReadOnly', ['mallard.example'])],
    /** Over whose identity retention is: `user` or `daily_visitor`. */
    identity: 'daily_visitor',
    /** Answers that are held back until this promise settles. */
    hold: Promise.resolve(),
    /** Requests for reports so far. */
    asked: [],
  };
  const server = createServer((request, response) => void answer(state, request, response));
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const url = `http://localhost:${server.address().port}`;
  return { url, state, close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()) };
}

async function answer(state, request, response) {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  const body = await bodyOf(request);
  const isReady = state.ready && state.ingest !== 'poisoned';
  if (pathname === '/health/ready') return text(response, isReady ? 200 : 503, isReady ? 'ready' : 'no');
  if (pathname === '/health/detailed') return json(response, 200, { ingest: state.ingest });
  if (pathname.startsWith('/api/auth/')) return authenticate(state, pathname, body, response);
  if (/^\/api\/(sites\/|keys)/.test(pathname)) {
    if (!state.authenticated) return refuse(response, 401, 'Log in first');
    return manage(state, request.method, pathname, body, response);
  }
  if (pathname.startsWith('/api/')) return report(state, pathname, searchParams, response);
  return file(pathname, response);
}

function authenticate(state, pathname, body, response) {
  switch (pathname) {
    case '/api/auth/status':
      return json(response, 200, { setup_required: state.setupRequired, authenticated: state.authenticated });
    case '/api/auth/setup':
      if (state.setupToken && body.setup_token !== state.setupToken)
        return refuse(response, 403, body.setup_token ? 'Invalid setup token' : 'Setup token required');
      Object.assign(state, { setupRequired: false, authenticated: true, password: body.password });
      return json(response, 200, { token: '0'.repeat(64) });
    case '/api/auth/login':
      if (body.password !== state.password) return refuse(response, 401, 'Invalid password');
      state.authenticated = state.keepsCookies;
      return json(response, 200, { token: '0'.repeat(64) });
    default:
      state.authenticated = false;
      return json(response, 200, { status: 'logged_out' });
  }
}

async function report(state, pathname, query, response) {
  const name = pathname.replace(/^\/api\/(stats\/)?/, '');
  state.asked.push(`${name}?${query}`);
  await state.hold;
  if (!state.authenticated) return refuse(response, 401, 'Log in first');
  if (!state.ready) return refuse(response, 503, 'database not ready');
  if (state.failing.has(name)) return refuse(response, 500, 'Internal server error');
  if (state.incomplete) response.setHeader('x-mallard-incomplete', state.incomplete);
  if (name === 'export') return fileOf(query, response);
  return json(
    response,
    200,
    state.empty ? emptied(reportOf(state, name, query)) : reportOf(state, name, query),
  );
}

function fileOf(query, response) {
  const type = query.get('format') === 'csv' ? 'text/csv' : 'application/json';
  const name = `export.${query.get('format')}`;
  response.writeHead(200, { 'content-type': type, 'content-disposition': `attachment; filename="${name}"` });
  response.end('date,visitors,pageviews,top_page,top_source\n2026-01-01,3,4,"/","Google"\n');
}

function reportOf(state, name, query) {
  if (!query.has('compare')) return plainReportOf(state, name, query);
  const answer = data.compared((of) => plainReportOf(state, name, of), query, state.now);
  return state.newborn ? { ...answer, comparison: emptied(answer.comparison) } : answer;
}

function plainReportOf(state, name, query) {
  if (name === 'sites') return state.sites;
  if (name === 'main') return data.main(query, state.now);
  if (name === 'timeseries') return data.timeseries(query, state.now);
  if (name === 'breakdown/events') return data.events(query, state.now);
  if (name === 'breakdown/props') return data.properties(query, state.now);
  if (name === 'funnel') return data.funnel(query, state.now);
  if (name === 'retention') return data.retention(query, state.now, state.identity);
  if (name === 'flow') return data.flow(query, state.now);
  if (name === 'journeys') return data.journeys(query, state.now);
  if (name === 'goals') return data.goals(state.goals, query, state.now);
  if (name === 'realtime') return data.realtime(state.now);
  const rows = data.breakdown(name.replace('breakdown/', ''), query, state.now);
  return state.blank ? [{ ...rows[0], value: '(unknown)' }] : rows;
}

/** The same report of a range without events. */
function emptied(answer) {
  if (!Array.isArray(answer)) return Object.fromEntries(Object.keys(answer).map((key) => [key, 0]));
  if (!answer[0]?.date) return 'site_id' in (answer[0] ?? {}) ? answer : [];
  return answer.map((bucket) => ({ ...bucket, visitors: 0, pageviews: 0 }));
}

async function file(pathname, response) {
  const name = pathname === '/' ? 'index.html' : pathname.slice(1);
  const content = await readFile(join(DIST, name)).catch(() => null);
  if (content === null) return refuse(response, 404, 'Not found');
  response.writeHead(200, { 'content-type': TYPES[extname(name)], 'content-security-policy': CSP });
  response.end(content);
}

async function bodyOf(request) {
  const chunks = await request.toArray();
  const whole = Buffer.concat(chunks).toString();
  return whole ? JSON.parse(whole) : {};
}

function text(response, status, value) {
  response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(value);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { url } = await startMock({ port: 8001 });
  console.log(`Mock server on ${url}`);
}
