// A modal box: the browser's own, which keeps the focus inside and closes by Escape.
import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { Close } from './icons';

interface Props {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: Props) {
  const id = useId();
  const box = useRef<HTMLDialogElement>(null);

  // Before the next key can be pressed: with the box open, it is no shortcut of the page below.
  useLayoutEffect(() => {
    const dialog = box.current;
    dialog?.showModal();
    // Not its first control: a ring around "Close" would be the first thing to see, and a field would call a keyboard.
    dialog?.focus();
    return () => dialog?.close();
  }, []);

  return (
    <dialog
      ref={box}
      tabIndex={-1}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      // The box fills its element; a click on the element itself is one on the backdrop.
      onClick={(event) => event.target === box.current && onClose()}
    >
      <div class="dialog-box">
        <header class="dialog-head">
          <h2 id={id}>{title}</h2>
          <button class="tool" type="button" aria-label="Close" onClick={onClose}>
            <Close />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
