// A labelled input with room for a hint or for what is wrong with it.
import { useId } from 'preact/hooks';
import type { ComponentChildren, InputHTMLAttributes } from 'preact';
import { useFocus } from '../state/focus';

type Passed =
  | 'name'
  | 'autocomplete'
  | 'autocapitalize'
  | 'inputMode'
  | 'maxLength'
  | 'min'
  | 'placeholder'
  | 'spellcheck';

interface Props extends Pick<InputHTMLAttributes<HTMLInputElement>, Passed> {
  label: string;
  type?: 'text' | 'password' | 'date';
  required?: boolean;
  value: string;
  /** The id of a list of suggestions. */
  list?: string;
  /** It is where typing begins. */
  first?: boolean;
  onValue: (value: string) => void;
  hint?: ComponentChildren;
  problem?: string | null;
}

export function Field({
  label,
  type = 'text',
  list,
  first = false,
  onValue,
  hint,
  problem,
  ...input
}: Props) {
  const id = useId();
  const element = useFocus(first);
  const note = problem ?? hint;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        {...input}
        ref={element}
        // Preact types an input by its kind; what is passed here fits both kinds.
        type={type as 'text'}
        id={id}
        {...(list && { list })}
        aria-invalid={problem ? true : undefined}
        aria-describedby={note ? `${id}-note` : undefined}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
      {note && (
        // One element takes the place of the other: only an alert that is new is read out.
        <p
          key={problem ? 'problem' : 'hint'}
          id={`${id}-note`}
          class={problem ? 'note problem' : 'note'}
          role={problem ? 'alert' : undefined}
        >
          {note}
        </p>
      )}
    </div>
  );
}
