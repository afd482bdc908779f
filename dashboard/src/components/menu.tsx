// A button that opens a box below it. Closes by Escape, by a click elsewhere, and when the focus leaves it.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

interface Props {
  open: boolean;
  setOpen: (open: boolean) => void;
  /** What the button says; its accessible name is `name` and this. */
  label: ComponentChildren;
  name: string;
  align?: 'start' | 'end';
  children: ComponentChildren;
}

export function Menu({ open, setOpen, label, name, align = 'start', children }: Props) {
  const id = useId();
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!open) return;
    const box = root.current;
    const first = ['input', '[aria-current="true"]', '.menu-item'];
    first
      .map((selector) => box?.querySelector<HTMLElement>(selector))
      .find((element) => element)
      ?.focus();
    const elsewhere = (event: Event) => {
      if (!box?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', elsewhere);
    document.addEventListener('focusin', elsewhere);
    return () => {
      document.removeEventListener('pointerdown', elsewhere);
      document.removeEventListener('focusin', elsewhere);
    };
  }, [open]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && open) {
      setOpen(false);
      button.current?.focus();
    }
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') moveFocus(root.current, event);
  };

  return (
    <div class="menu" ref={root} onKeyDown={onKeyDown}>
      <button
        ref={button}
        class="menu-button"
        type="button"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        <span class="visually-hidden">{name}: </span>
        {label}
      </button>
      {open && (
        <div id={id} class={`menu-box menu-${align}`} role="group" aria-label={name}>
          {children}
        </div>
      )}
    </div>
  );
}

function moveFocus(root: HTMLElement | null, event: KeyboardEvent): void {
  const items = [...(root?.querySelectorAll<HTMLElement>('.menu-item') ?? [])];
  if (items.length === 0 || event.target instanceof HTMLInputElement) return;
  const at = items.indexOf(document.activeElement as HTMLElement);
  const step = event.key === 'ArrowDown' ? 1 : -1;
  items.at((at + step) % items.length)?.focus();
  event.preventDefault();
}

interface ItemProps {
  /** The one of several that is chosen. */
  current?: boolean;
  /** What can be on or off. */
  pressed?: boolean;
  onPick: () => void;
  hint?: ComponentChildren;
  children: ComponentChildren;
}

export function MenuItem({ current = false, pressed, onPick, hint, children }: ItemProps) {
  return (
    <button
      class="menu-item"
      type="button"
      aria-current={current ? 'true' : undefined}
      aria-pressed={pressed}
      onClick={onPick}
    >
      <span class="menu-item-text">{children}</span>
      {hint}
    </button>
  );
}
