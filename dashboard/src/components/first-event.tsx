// A site without events: how to install the tracker, and the wait for the first event. The dashboard above looks for the
// event; when it is there, this screen gives way to the figures.
import { useEffect, useState } from 'preact/hooks';
import { snippetFor } from '../text/domain';
import { Copyable } from './copyable';

interface Props {
  site: string;
  onOther: () => void;
}

/** By now, who has opened the site has been waiting for something that will not come by itself. */
const LATE_MS = 30_000;

export function FirstEvent({ site, onOther }: Props) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    const timer = setTimeout(() => setLate(true), LATE_MS);
    return () => clearTimeout(timer);
  }, [site]);

  return (
    <section class="card start">
      <h1>Install on {site}</h1>
      <ol class="steps">
        <li>
          <p>
            Put this line into the <code>&lt;head&gt;</code> of every page.
          </p>
          <Copyable label="Install snippet" text={snippetFor(site, location.origin)} />
          <p class="muted small">
            No cookies and nothing stored on the visitor's device. In single-page apps, changes of the address
            are counted without further code.
          </p>
        </li>
        <li>
          <p>Open your site in another tab.</p>
          <div class="waiting" role="status">
            <span class="pulse" aria-hidden="true" />
            Waiting for the first event from {site}
          </div>
          <div role="status">{late && <Hints site={site} />}</div>
        </li>
      </ol>
      <button class="link" type="button" onClick={onOther}>
        Use another domain
      </button>
    </section>
  );
}

/** What keeps first events away, the most frequent first. */
function Hints({ site }: { site: string }) {
  return (
    <div class="hints">
      <p>Nothing has arrived yet. What most often keeps it away:</p>
      <ul>
        <li>
          The line is not in the page that you opened. Its source must have <code>data-domain="{site}"</code>;
          a cache may still give out the page without it.
        </li>
        <li>
          An ad blocker stops <code>{location.host}</code>. Try without it, or in another browser.
        </li>
        <li>
          <code>MALLARD_SITE_IDS</code> is set on the server and does not have <code>{site}</code>, so that
          its events are refused.
        </li>
        <li>
          The server is not reached from the page: open <code>{location.origin}/mallard.js</code> where your
          visitors are.
        </li>
        <li>
          This browser is left out: in your site's own console, <code>localStorage.mallard_ignore</code> is{' '}
          <code>"true"</code>.
        </li>
      </ul>
      <p>
        The console of the browser, on your site, shows what became of <code>mallard.js</code> and{' '}
        <code>/api/event</code>.
      </p>
    </div>
  );
}
