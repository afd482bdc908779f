// Text to be taken elsewhere, with a button that copies it.
import { useRef, useState } from 'preact/hooks';
import { copy } from '../text/clipboard';
import { Check, Copy } from './icons';

interface Props {
  /** What it is, for who does not see it. */
  label: string;
  text: string;
}

export function Copyable({ label, text }: Props) {
  const code = useRef<HTMLElement>(null);
  const [copied, setCopied] = useState(false);

  const onCopy = async () => {
    if (code.current) setCopied(await copy(text, code.current));
  };

  return (
    <div class="snippet">
      <pre tabIndex={0} aria-label={label}>
        <code ref={code}>{text}</code>
      </pre>
      <button class="secondary" type="button" onClick={() => void onCopy()}>
        {copied ? <Check /> : <Copy />}
        <span aria-live="polite">{copied ? 'Copied' : 'Copy'}</span>
      </button>
    </div>
  );
}
