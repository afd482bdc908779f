// A button for what cannot be taken back: its second click is the one that does it.
import { useState } from 'preact/hooks';

interface Props {
  /** One word for what it does: `Remove`. */
  what: string;
  /** To what, for who does not see where the button stands: `goal Signup`. */
  object: string;
  onConfirmed: () => void;
}

export function Confirmed({ what, object, onConfirmed }: Props) {
  const [sure, setSure] = useState(false);
  return (
    <button
      class={sure ? 'link danger' : 'link'}
      type="button"
      aria-label={sure ? `${what} ${object} for good` : `${what} ${object}`}
      onClick={() => (sure ? onConfirmed() : setSure(true))}
      onBlur={() => setSure(false)}
    >
      {sure ? 'For good?' : what}
    </button>
  );
}
