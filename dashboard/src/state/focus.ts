// Where the focus goes when something appears. The attribute `autofocus` is for documents: a browser follows it once.
import { useEffect, useRef } from 'preact/hooks';
import type { RefObject } from 'preact';

/** Focuses the element with this ref when it appears; never, if `wanted` is false. */
export function useFocus(wanted = true): RefObject<HTMLInputElement | null> {
  const element = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (wanted) element.current?.focus();
  }, []);
  return element;
}
