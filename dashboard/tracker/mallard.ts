// The tracker: sends pageviews and custom events of one site to one server. No cookies, no storage writes.
//
//   <script defer data-domain="example.com" src="https://stats.example.com/mallard.js"></script>
//
// Every event carries a random id and stays in `unsettled` until the server has answered for it. It may then be sent as
// often as it takes (again after a failure, by a beacon when the page goes away): the server stores an id once.
//
// Budget: 1.5 KiB gzipped, held by a test. Plain functions and few names, because they compress well.

interface Revenue {
  amount: number | string;
  currency?: string;
}

interface Outcome {
  /** HTTP status, 0 if there was none. */
  status: number;
  /** Whether the server has the event; false for a dropped bot as well. */
  stored: boolean;
}

interface Options {
  props?: Record<string, unknown>;
  revenue?: number | Revenue;
  currency?: string;
  url?: string;
  interactive?: boolean;
  /** Called exactly once: when the first attempt has settled, or after two seconds. */
  callback?: (outcome: Outcome) => void;
}

interface Track {
  (name: string, options?: Options): void;
  /** Calls made before the script was there. */
  q?: ArrayLike<unknown>[];
  /** The script is there. */
  loaded?: boolean;
}

declare global {
  interface Window {
    mallard?: Track;
    plausible?: Track;
  }
  interface Document {
    readonly prerendering?: boolean;
  }
  interface Navigator {
    readonly globalPrivacyControl?: boolean;
  }
}

const UNSETTLED_MAX = 50;
const RETRIES_MAX = 5;
const RETRY_AFTER_S_MAX = 3600;
/** The server refuses longer addresses; a page is worth more than the end of its query. */
const ADDRESS_MAX = 2048;
const CALLBACK_MS = 2000;

/** Installs the tracker for the page that `script` stands in. */
export function install(script: HTMLScriptElement): void {
  const { dataset } = script;
  const domain = dataset['domain'];
  const endpoint = dataset['api'] || new URL(script.src).origin + '/api/event';
  const byHash = 'hash' in dataset;
  /** Bodies that no answer has settled yet. */
  const unsettled = new Set<string>();
  let referrer: string | undefined = document.referrer;
  let counted = '';

  if (!domain) return console.warn('mallard: the script tag needs data-domain');
  if (window.mallard?.loaded) return;

  const optedOut = () => {
    try {
      // Reading may throw where storage is forbidden; then nobody can have opted out there.
      const ignored = (key: string) => localStorage.getItem(key) === 'true';
      if (ignored('mallard_ignore') || ignored('plausible_ignore')) return true;
    } catch {}
    return 'dnt' in dataset && (navigator.doNotTrack === '1' || !!navigator.globalPrivacyControl);
  };

  const send = (body: string, retries: number, settled: (outcome: Outcome) => void) => {
    const attempt = (status: number, stored: boolean, retryAfter?: string | null) => {
      const transient = !status || status === 408 || status === 429 || status >= 500;
      if (transient && retries < RETRIES_MAX) {
        const backoff = 2 ** retries * (0.75 + Math.random() / 2);
        const wait = Math.min(Number(retryAfter) || backoff, RETRY_AFTER_S_MAX);
        setTimeout(send, wait * 1000, body, retries + 1, settled);
      } else {
        unsettled.delete(body);
      }
      // Last, because a callback of the page may throw.
      settled({ status, stored });
    };
    fetch(endpoint, { method: 'POST', body, keepalive: true, credentials: 'omit' }).then(
      ({ status, headers }) => attempt(status, headers.has('x-mallard-lsn'), headers.get('retry-after')),
      () => attempt(0, false),
    );
  };

  const track: Track = (name, options = {}) => {
    let { callback } = options;
    const settled = (outcome: Outcome) => {
      const once = callback;
      callback = undefined;
      once?.(outcome);
    };
    if (optedOut() || unsettled.size >= UNSETTLED_MAX) return settled({ status: 0, stored: false });

    const { props, revenue, interactive } = options;
    const { amount, currency } = revenue instanceof Object ? revenue : { amount: revenue };
    const first = name === 'pageview' ? referrer : undefined;
    if (name === 'pageview') referrer = undefined;
    // What is undefined is left out of the body.
    const body = JSON.stringify({
      d: domain,
      n: name,
      u: (options.url || location.href).slice(0, ADDRESS_MAX),
      r: first?.slice(0, ADDRESS_MAX) || undefined,
      w: innerWidth,
      id: Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
        (byte + 256).toString(16).slice(1),
      ).join(''),
      p: props,
      ra: amount,
      rc: currency || options.currency,
      i: interactive,
      h: byHash ? 1 : undefined,
    });
    unsettled.add(body);
    setTimeout(settled, CALLBACK_MS, { status: 0, stored: false });
    send(body, 0, settled);
  };

  const pageview = () => {
    counted = place();
    track('pageview');
  };
  const place = () => location.pathname + location.search + (byHash ? location.hash : '');
  const moved = () => {
    // A page that nobody sees yet is counted when it is shown, wherever it is by then.
    if (place() !== counted && !document.prerendering) pageview();
  };

  // By this path the tracker stands in for Plausible's, whose tag brings a stub with a queue of its own. By the other
  // one it leaves that name alone if it is taken: both trackers may stand in the page.
  const standsIn = script.src.includes('/js/script.js');
  const stubs = [window.mallard, standsIn ? window.plausible : undefined];
  track.loaded = true;
  window.mallard = track;
  if (standsIn || !window.plausible) window.plausible = track;
  for (const stub of stubs)
    for (const call of Array.from(stub?.q ?? [])) track(...(Array.from(call) as Parameters<Track>));

  // A page that is restored from the back/forward cache goes on with its timers, and may send twice: same ids.
  addEventListener('pagehide', () => unsettled.forEach((body) => navigator.sendBeacon(endpoint, body)));

  if ('manual' in dataset) return;

  const { pushState, replaceState } = history;
  history.pushState = function (...change) {
    pushState.apply(this, change);
    moved();
  };
  history.replaceState = function (...change) {
    replaceState.apply(this, change);
    // The same page under another address: no pageview now, and none when something else moves.
    counted = place();
  };
  addEventListener('popstate', moved);
  if (byHash) addEventListener('hashchange', moved);
  addEventListener('pageshow', (event) => {
    if (event.persisted) pageview();
  });
  if (document.prerendering) document.addEventListener('prerenderingchange', pageview, { once: true });
  else pageview();
}
