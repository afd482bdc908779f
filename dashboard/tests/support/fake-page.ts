// As much of a browser as the tracker touches, with the network and the events in the test's hands.
import { vi } from 'vitest';
import { install } from '../../tracker/mallard';

type Listener = (event: { persisted?: boolean }) => void;

export interface Payload {
  d: string;
  n: string;
  u: string;
  r?: string;
  w: number;
  id: string;
  [field: string]: unknown;
}

export interface Reply {
  status: number;
  headers?: Record<string, string>;
}

interface Setting {
  dataset?: Record<string, string>;
  /** The path by which the page loads the tracker. */
  path?: string;
  /** Where the page is. */
  at?: string;
  referrer?: string;
  storage?: Record<string, string>;
  navigator?: { doNotTrack?: string; globalPrivacyControl?: boolean };
  prerendering?: boolean;
  /** What stands in `window` before the tracker does. */
  globals?: Record<string, unknown>;
  /** The server: a reply, or null for no network. */
  reply?: (body: Payload) => Reply | null;
}

export interface FakePage {
  sent: { payload: Payload; url: string; init: RequestInit; at: number }[];
  beacons: { url: string; payload: Payload }[];
  /** `window.mallard`, as a page calls it. */
  track: (name: string, options?: object) => void;
  globals: Record<string, unknown>;
  pushState: (url: string) => void;
  replaceState: (url: string) => void;
  fire: (type: string, event?: { persisted?: boolean }) => void;
  go: (url: string) => void;
  /** The prerendered page is shown. */
  show: () => void;
}

const STORED: Reply = { status: 202, headers: { 'x-mallard-lsn': '7' } };

export function openPage(setting: Setting = {}): FakePage {
  const listeners = new Map<string, Listener[]>();
  const listen = (type: string, listener: Listener) =>
    listeners.set(type, [...(listeners.get(type) ?? []), listener]);
  const location = new URL(setting.at ?? 'https://site.example/start?a=1');
  const go = (url: string) => {
    location.href = new URL(url, location.href).href;
  };
  const sent: FakePage['sent'] = [];
  const beacons: FakePage['beacons'] = [];
  const history = {
    pushState: (_: unknown, __: string, url: string) => go(url),
    replaceState: (_: unknown, __: string, url: string) => go(url),
  };
  const page = {
    document: {
      referrer: setting.referrer ?? 'https://search.example/',
      prerendering: setting.prerendering ?? false,
      addEventListener: listen,
    },
    location,
    history,
    innerWidth: 1280,
    localStorage: { getItem: (key: string) => setting.storage?.[key] ?? null },
    navigator: {
      ...setting.navigator,
      sendBeacon: (url: string, body: string) => beacons.push({ url, payload: JSON.parse(body) as Payload }),
    },
    addEventListener: listen,
    fetch: (url: string, init: RequestInit) => {
      const payload = JSON.parse(String(init.body)) as Payload;
      sent.push({ payload, url, init, at: Date.now() });
      const reply = setting.reply ? setting.reply(payload) : STORED;
      if (!reply) return Promise.reject(new TypeError('Failed to fetch'));
      return Promise.resolve({ status: reply.status, headers: new Headers(reply.headers) });
    },
  };
  const globals: Record<string, unknown> = setting.globals ?? {};
  for (const [name, value] of Object.entries(page)) vi.stubGlobal(name, value);
  vi.stubGlobal('window', globals);

  const dataset = setting.dataset ?? { domain: 'site.example' };
  const src = `https://stats.example${setting.path ?? '/mallard.js'}`;
  install({ dataset, src } as unknown as HTMLScriptElement);
  return {
    sent,
    beacons,
    globals,
    track: globals['mallard'] as FakePage['track'],
    pushState: (url) => history.pushState(null, '', url),
    replaceState: (url) => history.replaceState(null, '', url),
    fire: (type, event = {}) => listeners.get(type)?.forEach((listener) => listener(event)),
    go,
    show: () => {
      page.document.prerendering = false;
      listeners.get('prerenderingchange')?.forEach((listener) => listener({}));
    },
  };
}
