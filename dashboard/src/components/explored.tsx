// What every report of the Explore card does with its query: the error, the wait, nothing there, or the answer.
import type { ComponentChildren } from 'preact';
import type { Answer } from '../api';
import type { Query } from '../state/query';
import { Failure } from './failure';

interface Props<T> {
  query: Query<Answer<T>>;
  isEmpty: (value: T) => boolean;
  /** What to say when there is nothing. */
  empty: string;
  children: (value: T) => ComponentChildren;
}

export function Explored<T>({ query, isEmpty, empty, children }: Props<T>) {
  const { data, error, stale, retry } = query;
  if (error) return <Failure error={error} retry={retry} />;
  if (!data) return <div class="skeleton skeleton-chart" aria-busy="true" />;
  if (isEmpty(data.value)) return <p class="panel-empty">{empty}</p>;
  // On a phone it is wider than the screen: the keyboard must be able to move it too.
  return (
    <div class={stale ? 'table-scroll stale' : 'table-scroll'} tabIndex={0} role="group" aria-label="Report">
      {children(data.value)}
    </div>
  );
}
