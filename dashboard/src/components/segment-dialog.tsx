// Segments: filters of a site that are kept under a name, for everybody who sees its reports.
import { useState } from 'preact/hooks';
import { segments, wireOf, type ApiError, type Filter, type Segment } from '../api';
import { isFiltered, narrow, without } from '../state/filters';
import { filterName } from '../text/filters';
import { Confirmed } from './confirmed';
import { Dialog } from './dialog';
import { Failure } from './failure';
import { Field } from './field';
import { Problem } from './problem';
import { useAction, useSubmit } from './submit';

interface Props {
  site: string;
  filters: readonly Filter[];
  /** null while they are on their way. */
  saved: readonly Segment[] | null;
  /** Why they could not be had. */
  error: ApiError | null;
  /** The list has changed, or is to be asked for again. */
  onSaved: () => void;
  onChange: (filters: readonly Filter[]) => void;
  onClose: () => void;
}

const NAME_MAX = 64;

const filterOf = ({ id }: Segment): Filter => ({
  operator: 'is',
  dimension: 'segment',
  values: [String(id)],
});

export function SegmentDialog({ site, filters, saved, error, onSaved, onChange, onClose }: Props) {
  const { error: refused, run } = useAction();
  const remove = async (segment: Segment) => {
    await run(async () => {
      await segments.remove(site, segment.id);
      // A report that names a segment which is gone is an error.
      if (isFiltered(filters, filterOf(segment))) onChange(without(filters, filterOf(segment)));
    });
    onSaved();
  };
  return (
    <Dialog title="Segments" onClose={onClose}>
      {error && <Failure error={error} retry={onSaved} />}
      {!saved && !error && <div class="skeleton skeleton-figure" aria-busy="true" />}
      {saved?.length === 0 && (
        <p class="muted">No segments yet. A segment is the filters of this page, kept under a name.</p>
      )}
      {saved && saved.length > 0 && (
        <ul class="entries" aria-label="Saved segments">
          {saved.map((segment) => {
            const filter = filterOf(segment);
            const on = isFiltered(filters, filter);
            return (
              <li key={segment.id} class="entry">
                <span class="entry-name">{segment.name}</span>
                <button
                  class="secondary"
                  type="button"
                  aria-label={`${on ? 'Take off' : 'Apply'} segment ${segment.name}`}
                  onClick={() => onChange(on ? without(filters, filter) : narrow(filters, filter))}
                >
                  {on ? 'Take off' : 'Apply'}
                </button>
                <Confirmed
                  what="Delete"
                  object={`segment ${segment.name}`}
                  onConfirmed={() => void remove(segment)}
                />
              </li>
            );
          })}
        </ul>
      )}
      <Problem error={refused} />
      <Save site={site} filters={filters} onSaved={onSaved} />
    </Dialog>
  );
}

function Save({ site, filters, onSaved }: Pick<Props, 'site' | 'filters' | 'onSaved'>) {
  const [name, setName] = useState('');
  const { busy, error, submit } = useSubmit(async () => {
    await segments.add(site, name.trim(), filters.map(wireOf));
    setName('');
    onSaved();
  });
  if (filters.length === 0) return <p class="note">To save one, first narrow the page down by filters.</p>;
  if (filters.some(({ dimension }) => dimension === 'segment'))
    return (
      <p class="note">A segment cannot be part of another one: take it off to save the other filters.</p>
    );
  return (
    <form class="dialog-form" onSubmit={submit}>
      <Field
        label="Save the filters of this page as"
        autocomplete="off"
        maxLength={NAME_MAX}
        value={name}
        onValue={setName}
        hint={filters.map((filter) => filterName(filter)).join(', ')}
      />
      <Problem error={error} />
      <button class="primary" type="submit" disabled={busy || name.trim() === ''}>
        Save segment
      </button>
    </form>
  );
}
