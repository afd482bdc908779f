// What the tracker sends, and when.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openPage, type FakePage } from '../support/fake-page';

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

  test('does not follow replaceState, nor what moves within the page that it renamed', () => {
    const page = openPage();
    page.replaceState('/start');
    page.go('#pricing');
    page.fire('popstate');
    page.pushState('/start#contact');
    expect(names(page)).toEqual(['pageview /start']);
    page.pushState('/next');
    expect(names(page)).toEqual(['pageview /start', 'pageview /next']);
  });

  test('with an address that is too long for the server is sent all the same', () => {
    const at = `https://site.example/search?q=${'x'.repeat(4000)}`;
    const page = openPage({ at, referrer: at });
    expect(page.sent[0]?.payload.u).toBe(at.slice(0, 2048));
    expect(page.sent[0]?.payload.r).toBe(at.slice(0, 2048));
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
    page.pushState('/second');
    expect(page.sent).toHaveLength(0);
    page.show();
    expect(names(page)).toEqual(['pageview /second']);
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
    const other = Object.assign(() => {}, { q: [['theirs']] });
    const beside = openPage({ globals: { plausible: other } });
    expect(beside.globals['plausible']).toBe(other);
    expect(names(beside)).toEqual(['pageview /start']);
  });

  test('goes through the stub of a Plausible tag whose host was changed', () => {
    const stub = Object.assign(() => {}, { q: [['early', { props: { a: 1 } }]] });
    const page = openPage({ path: '/js/script.js', globals: { plausible: stub } });
    (page.globals['plausible'] as FakePage['track'])('later');
    expect(names(page)).toEqual(['early /start', 'pageview /start', 'later /start']);
  });
});
