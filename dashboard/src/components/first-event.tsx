// A site without events: how to install the tracker, and the wait for the first event. The dashboard above looks for the
// event; when it is there, this screen gives way to the figures.
import { Snippet } from './snippet';

interface Props {
  site: string;
  onOther: () => void;
}

export function FirstEvent({ site, onOther }: Props) {
  return (
    <section class="card start">
      <h1>Install on {site}</h1>
      <ol class="steps">
        <li>
          <p>
            Put this line into the <code>&lt;head&gt;</code> of every page.
          </p>
          <Snippet site={site} />
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
        </li>
      </ol>
      <button class="link" type="button" onClick={onOther}>
        Use another domain
      </button>
    </section>
  );
}
