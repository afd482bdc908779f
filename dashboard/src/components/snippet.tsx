// The install snippet, with a button that copies it.
import { useRef, useState } from 'preact/hooks';
import { copy } from '../text/clipboard';
import { snippetFor } from '../text/domain';
import { Check, Copy } from './icons';

export function Snippet({ site }: { site: string }) {
  const code = useRef<HTMLElement>(null);
  const [copied, setCopied] = useState(false);
  const text = snippetFor(site, location.origin);

  const onCopy = async () => {
    if (code.current) setCopied(await copy(text, code.current));
  };

  return (
    <div class="snippet">
      <pre tabIndex={0} aria-label="Install snippet">
        <code ref={code}>{text}</code>
      </pre>
      <button class="secondary" type="button" onClick={() => void onCopy()}>
        {copied ? <Check /> : <Copy />}
        <span aria-live="polite">{copied ? 'Copied' : 'Copy'}</span>
      </button>
    </div>
  );
}
