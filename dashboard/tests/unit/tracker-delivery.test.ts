// How the tracker brings its events to the server, and when it stays silent.
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { build, type Rolldown } from 'vite';
import { openPage, type Reply } from '../support/fake-page';

beforeEach(() => void vi.useFakeTimers());

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
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
    const options = {
      configFile: 'vite.tracker.config.ts',
      logLevel: 'warn',
      build: { write: false },
    } as const;
    const [built] = (await build(options)) as Rolldown.RolldownOutput[];
    expect(gzipSync(built!.output[0].code, { level: 9 }).length).toBeLessThanOrEqual(1536);
  });
});
