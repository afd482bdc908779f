import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { build } from 'vite';
import { openPage, type FakePage, type Reply } from '../support/fake-page';

beforeEach(() => void vi.useFakeTimers());

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const names = (page: FakePage) =>
  page.sent.map(({ payload }) => `${payload.n} ${new URL(payload.u).pathname}`);

describe('a pageview', () => {
  test('is sent once at load, with the fields of the contract and no others', () => {
    const { sent } = openPage();
    expect(sent).toHaveLength(1);
    expect(sent[0]?.url).toBe('https://stats.example/api/event');
    expect(sent[0]?.payload).toEqual({
      d: 'site.example',
      n: 'pageview',
      u: 'https://site.example/start?a=1',
      r: 'https://search.example/',
      w: 1280,
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });

  test('needs no preflight, outlives the page and carries no credentials', () => {
    const { init } = openPage().sent[0]!;
    expect(init).toMatchObject({ method: 'POST', keepalive: true, credentials: 'omit' });
    expect(init.headers).toBeUndefined();
    expect(typeof init.body).toBe('string');
  });

  test('names the referrer only the first time', () => {
    const page = openPage({ dataset: { domain: 'site.example', manual: '' } });
    page.track('signup');
    page.track('pageview');
    page.track('pageview');
    expect(page.sent.map(({ payload }) => payload.r)).toEqual([
      undefined,
      'https://search.example/',
      undefined,
    ]);
  });

  test('follows pushState and popstate when path or query change', () => {
    const page = openPage();
    page.pushState('/second');
    page.pushState('/second?page=2');
    page.pushState('/second?page=2#below');
    page.go('/start?a=1');
    page.fire('popstate');
    page.fire('popstate');
    expect(names(page)).toEqual([
      'pageview /start',
      'pageview /second',
      'pageview /second',
      'pageview /start',
    ]);
  });

  test('does not follow replaceState', () => {
    const page = openPage();
    page.replaceState('/elsewhere');
    expect(page.sent).toHaveLength(1);
  });

  test('follows the fragment with data-hash, and says so', () => {
    const page = openPage({ dataset: { domain: 'site.example', hash: '' } });
    page.go('#/settings');
    page.fire('hashchange');
    page.fire('popstate');
    expect(page.sent.map(({ payload }) => [payload.u, payload['h']])).toEqual([
      ['https://site.example/start?a=1', 1],
      ['https://site.example/start?a=1#/settings', 1],
    ]);
  });

  test('waits until a prerendered page is shown', () => {
    const page = openPage({ prerendering: true });
    expect(page.sent).toHaveLength(0);
    page.fire('prerenderingchange');
    expect(page.sent).toHaveLength(1);
  });

  test('is sent again when the page comes back from the back/forward cache', () => {
    const page = openPage();
    page.fire('pageshow', { persisted: false });
    page.fire('pageshow', { persisted: true });
    expect(page.sent).toHaveLength(2);
    expect(page.sent[0]?.payload.id).not.toBe(page.sent[1]?.payload.id);
  });

  test('is left to the page with data-manual', () => {
    const page = openPage({ dataset: { domain: 'site.example', manual: '' } });
    page.pushState('/second');
    page.fire('pageshow', { persisted: true });
    expect(page.sent).toHaveLength(0);
  });
});

describe('a custom event', () => {
  test('carries properties, revenue, address and interactivity', () => {
    const page = openPage({ dataset: { domain: 'site.example', manual: '', api: '/proxy/event' } });
    page.track('order', {
      props: { plan: 'pro' },
      revenue: { amount: '19.99', currency: 'EUR' },
      url: 'https://site.example/checkout',
      interactive: true,
    });
    page.track('tip', { revenue: 5, currency: 'USD' });
    expect(page.sent[0]?.url).toBe('/proxy/event');
    expect(page.sent[0]?.payload).toMatchObject({
      n: 'order',
      u: 'https://site.example/checkout',
      p: { plan: 'pro' },
      ra: '19.99',
      rc: 'EUR',
      i: true,
    });
    expect(page.sent[1]?.payload).toMatchObject({ n: 'tip', ra: 5, rc: 'USD' });
  });

  test('may be called before the script is there', () => {
    const queued = Object.assign(() => {}, { q: [['early', { props: { a: 1 } }]] });
    const page = openPage({ globals: { mallard: queued } });
    expect(names(page)).toEqual(['early /start', 'pageview /start']);
  });

  test('can go through the name plausible, unless that is taken', () => {
    const page = openPage();
    expect(page.globals['plausible']).toBe(page.globals['mallard']);
    const other = () => {};
    expect(openPage({ globals: { plausible: other } }).globals['plausible']).toBe(other);
  });
});

describe('the callback', () => {
  test('hears whether the event was stored', async () => {
    const page = openPage({
      reply: ({ n }) => (n === 'bot' ? { status: 202 } : { status: 202, headers: { 'x-mallard-lsn': '1' } }),
    });
    const heard = vi.fn();
    page.track('kept', { callback: heard });
    page.track('bot', { callback: heard });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(heard.mock.calls).toEqual([[{ status: 202, stored: true }], [{ status: 202, stored: false }]]);
  });

  test('is called once, by the first attempt, although more follow', async () => {
    const page = openPage({ reply: () => ({ status: 503 }) });
    const heard = vi.fn();
    page.track('event', { callback: heard });
    await vi.advanceTimersByTimeAsync(120_000);
    expect(heard.mock.calls).toEqual([[{ status: 503, stored: false }]]);
  });

  test('is called after two seconds when no answer comes', async () => {
    const page = openPage();
    vi.stubGlobal('fetch', () => new Promise(() => {}));
    const heard = vi.fn();
    page.track('event', { callback: heard });
    await vi.advanceTimersByTimeAsync(1_999);
    expect(heard).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(heard.mock.calls).toEqual([[{ status: 0, stored: false }]]);
  });

  test('that throws does not keep the event from being tried again', async () => {
    const page = openPage({
      dataset: { domain: 'site.example', manual: '' },
      reply: () => ({ status: 500 }),
    });
    const thrown = vi.fn();
    process.once('unhandledRejection', thrown);
    page.track('event', {
      callback: () => {
        throw new Error('of the page');
      },
    });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(page.sent).toHaveLength(6);
    vi.useRealTimers();
    await vi.waitFor(() => expect(thrown).toHaveBeenCalledOnce());
  });
});

describe('a failure', () => {
  const failing = (reply: Reply | null) => openPage({ reply: () => reply });

  test.each([null, { status: 408 }, { status: 429 }, { status: 503 }, { status: 507 }])(
    'of the kind %j is tried again five times with the same id, after 1, 2, 4, 8 and 16 seconds',
    async (reply) => {
      const { sent } = failing(reply);
      await vi.advanceTimersByTimeAsync(300_000);
      expect(sent).toHaveLength(6);
      expect(new Set(sent.map(({ payload }) => payload.id)).size).toBe(1);
      sent.slice(1).forEach(({ at }, i) => {
        const waited = (at - sent[i]!.at) / 1000;
        expect(waited).toBeGreaterThanOrEqual(0.74 * 2 ** i);
        expect(waited).toBeLessThanOrEqual(1.26 * 2 ** i);
      });
    },
  );

  test('waits as long as the server says', async () => {
    const { sent } = failing({ status: 503, headers: { 'retry-after': '30' } });
    await vi.advanceTimersByTimeAsync(29_999);
    expect(sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toHaveLength(2);
  });

  test('ends with the first success', async () => {
    let tries = 0;
    const { sent } = openPage({ reply: () => ({ status: ++tries < 3 ? 503 : 202 }) });
    await vi.advanceTimersByTimeAsync(300_000);
    expect(sent).toHaveLength(3);
  });

  test.each([400, 403, 413, 422])('of status %i is final', async (status) => {
    const { sent } = failing({ status });
    await vi.advanceTimersByTimeAsync(300_000);
    expect(sent).toHaveLength(1);
  });
});

describe('when the page goes away', () => {
  test('a beacon takes every event that no answer has settled, with its id', async () => {
    const page = openPage({ reply: ({ n }) => (n === 'pageview' ? { status: 202 } : null) });
    page.track('waiting');
    page.track('refused');
    await vi.advanceTimersByTimeAsync(100);
    page.fire('pagehide');
    expect(page.beacons.map(({ payload }) => payload.n)).toEqual(['waiting', 'refused']);
    expect(page.beacons[0]?.payload).toEqual(page.sent[1]?.payload);
    expect(page.beacons[0]?.url).toBe('https://stats.example/api/event');
  });

  test('nothing is sent twice when all is settled', async () => {
    const page = openPage();
    await vi.advanceTimersByTimeAsync(100);
    page.fire('pagehide');
    expect(page.beacons).toHaveLength(0);
  });
});

describe('the tracker', () => {
  test('holds at most fifty events that are not settled', () => {
    const page = openPage({ reply: () => null });
    const heard = vi.fn();
    for (let i = 0; i < 60; i += 1) page.track('event', { callback: heard });
    expect(page.sent).toHaveLength(50);
    expect(heard.mock.calls).toEqual(Array(11).fill([{ status: 0, stored: false }]));
  });

  test.each(['mallard_ignore', 'plausible_ignore'])('is silent where the visitor has set %s', (key) => {
    const page = openPage({ storage: { [key]: 'true' } });
    const heard = vi.fn();
    page.track('event', { callback: heard });
    expect(page.sent).toHaveLength(0);
    expect(heard).toHaveBeenCalledOnce();
  });

  test.each([{ doNotTrack: '1' }, { globalPrivacyControl: true }])(
    'honours %j only with data-dnt',
    (navigator) => {
      expect(openPage({ navigator }).sent).toHaveLength(1);
      expect(openPage({ navigator, dataset: { domain: 'site.example', dnt: '' } }).sent).toHaveLength(0);
    },
  );

  test('counts once although its tag stands in the page twice', () => {
    const page = openPage();
    expect(openPage({ globals: page.globals }).sent).toHaveLength(0);
  });

  test('says what is missing in a tag without a domain', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    expect(openPage({ dataset: {} }).sent).toHaveLength(0);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('data-domain'));
  });

  test('weighs at most 1.5 KiB', async () => {
    vi.useRealTimers();
    const built = await build({
      configFile: 'vite.tracker.config.ts',
      logLevel: 'warn',
      build: { write: false },
    });
    const [{ output }] = built as [{ output: { code: string }[] }];
    expect(gzipSync(output[0]!.code, { level: 9 }).length).toBeLessThanOrEqual(1536);
  });
});
