// The filters that hold for the whole page, each with its way out, and the ways to more.
import { useRef, useState } from 'preact/hooks';
import { segments, type Filter, type Question, type Segment } from '../api';
import { formatFilter, narrow, without } from '../state/filters';
import { useQuery } from '../state/query';
import { beginningOf, filterName, valuesOf, type SegmentName } from '../text/filters';
import { FilterDialog } from './filter-dialog';
import { Close, Plus } from './icons';
import { SegmentDialog } from './segment-dialog';

interface Props {
  question: Question;
  filters: readonly Filter[];
  onChange: (filters: readonly Filter[]) => void;
}

/** Nothing, a new filter, one that is changed, or the segments. */
type Open = null | 'new' | 'segments' | Filter;

export function Filters({ question, filters, onChange }: Props) {
  const status = useRef<HTMLParagraphElement>(null);
  const [open, setOpen] = useState<Open>(null);
  const { saved, error, retry } = useSegments(question.site, open === 'segments' || filters.some(isSegment));
  const nameOf: SegmentName = (id) => saved?.find((one) => String(one.id) === id)?.name ?? `#${id}`;
  // The button that had the focus goes away; the next key should not begin at the top of the page.
  const change = (next: readonly Filter[]) => {
    setOpen(null);
    status.current?.focus();
    onChange(next);
  };
  /** The place of a filter that is changed stays its place. */
  const put = (filter: Filter) => {
    if (open === null || typeof open === 'string') return change(narrow(filters, filter));
    return change(filters.map((one) => (one === open ? filter : one)).reduce<readonly Filter[]>(narrow, []));
  };

  return (
    <div class="filter-bar">
      <p class="visually-hidden" role="status" tabIndex={-1} ref={status}>
        {filters.length > 0 &&
          `Only visits of which this is true: ${filters.map((one) => filterName(one, nameOf)).join(', ')}`}
      </p>
      {filters.length > 0 && (
        <ul class="filters" aria-label="Filters">
          {filters.map((filter) => (
            <Chip
              key={formatFilter(filter)}
              filter={filter}
              nameOf={nameOf}
              onEdit={() => setOpen(filter)}
              onRemove={() => change(without(filters, filter))}
            />
          ))}
          {filters.length > 1 && (
            <li>
              <button class="link" type="button" onClick={() => change([])}>
                Clear all
              </button>
            </li>
          )}
        </ul>
      )}
      <div class="filter-tools">
        <button class="filter-tool" type="button" onClick={() => setOpen('new')}>
          <Plus /> Filter
        </button>
        <button class="filter-tool" type="button" onClick={() => setOpen('segments')}>
          Segments
        </button>
      </div>
      {open === 'segments' && (
        <SegmentDialog
          site={question.site}
          filters={filters}
          saved={saved}
          error={error}
          onSaved={retry}
          onChange={change}
          onClose={() => setOpen(null)}
        />
      )}
      {open !== null && open !== 'segments' && (
        <FilterDialog
          question={question}
          filter={open === 'new' ? null : open}
          onFilter={put}
          onClose={() => setOpen(null)}
        />
      )}
    </div>
  );
}

const isSegment = ({ dimension }: Filter) => dimension === 'segment';

/** The saved segments of a site, null while they are on their way; not asked for where nobody reads them. */
function useSegments(site: string, wanted: boolean) {
  const ask = (signal: AbortSignal) => (wanted ? segments.of(site, signal) : Promise.resolve([]));
  const { data, error, stale, retry } = useQuery<readonly Segment[]>(
    `${site} segments`,
    wanted ? 'asked' : 'not asked',
    ask,
  );
  return { saved: stale ? null : data, error, retry };
}

interface ChipProps {
  filter: Filter;
  nameOf: SegmentName;
  onEdit: () => void;
  onRemove: () => void;
}

function Chip({ filter, nameOf, onEdit, onRemove }: ChipProps) {
  const name = filterName(filter, nameOf);
  const text = (
    <>
      {beginningOf(filter)} <strong>{valuesOf(filter, nameOf)}</strong>
    </>
  );
  return (
    <li class="filter">
      {isSegment(filter) ? (
        <span class="filter-text" title={name}>
          {text}
        </span>
      ) : (
        <button class="filter-text" type="button" title={`${name}. Change it`} onClick={onEdit}>
          {text}
        </button>
      )}
      <button class="filter-close" type="button" aria-label={`Remove the filter: ${name}`} onClick={onRemove}>
        <Close />
      </button>
    </li>
  );
}
