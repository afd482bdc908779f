// The start of a new site: its name.
import { useState } from 'preact/hooks';
import { siteIdOf } from '../text/domain';
import { Field } from './field';

interface Props {
  /** No site has sent anything yet. */
  first: boolean;
  onSite: (site: string) => void;
}

export function AddSite({ first, onSite }: Props) {
  const [typed, setTyped] = useState('');
  const [touched, setTouched] = useState(false);
  const site = siteIdOf(typed);

  return (
    <section class="card start">
      <h1>{first ? 'Add your first site' : 'Add a site'}</h1>
      <p class="muted">
        A site appears by itself with its first event. All it needs is one line in its pages.
      </p>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          setTouched(true);
          if (site) onSite(site);
        }}
      >
        <Field
          label="Domain"
          name="domain"
          inputMode="url"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          first
          placeholder="example.com"
          value={typed}
          onValue={setTyped}
          problem={
            touched && !site ? 'A domain has letters, digits, dots and hyphens, like example.com.' : null
          }
          hint="The name under which the site is counted."
        />
        <button class="primary" type="submit">
          Continue
        </button>
      </form>
    </section>
  );
}
