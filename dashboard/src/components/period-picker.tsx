// Which days are shown, and with which they are compared: a list, and two dates for a range of one's own.
import { useState } from 'preact/hooks';
import { compareWith, COMPARISONS, isComparable } from '../state/comparison';
import { useFocus } from '../state/focus';
import { PERIODS, rangeOf, rangeProblem } from '../state/period';
import { comparisonOf, type View } from '../state/url';
import { rangeName } from '../text/buckets';
import { Check, Chevron } from './icons';
import { Menu, MenuItem } from './menu';

export type OpenPart = 'list' | 'dates' | 'compared dates' | null;

interface Props {
  view: View;
  /** The date at the site. */
  today: string;
  open: OpenPart;
  setOpen: (open: OpenPart) => void;
  onPick: (change: Partial<Pick<View, 'period' | 'from' | 'to' | 'compare'>>) => void;
}

export function PeriodPicker({ view, today, open, setOpen, onPick }: Props) {
  const label = (
    <>
      <span>
        {labelOf(view)}
        {comparisonOf(view) && <span class="menu-more"> compared</span>}
      </span>
      <Chevron />
    </>
  );
  return (
    <Menu
      open={open !== null}
      setOpen={(next) => setOpen(next ? 'list' : null)}
      name="Period"
      label={label}
      align="end"
    >
      {open === 'dates' && (
        <Dates
          range={view.from ? view : rangeOf(view.period, today)}
          onPick={(from, to) => {
            setOpen(null);
            onPick({ period: 'custom', from, to });
          }}
        />
      )}
      {open === 'compared dates' && (
        <Dates
          range={view.compare}
          onPick={(from, to) => {
            setOpen(null);
            onPick({ compare: { ...compareWith('custom', view.compare), from, to } });
          }}
        />
      )}
      {open === 'list' && (
        <>
          {PERIODS.map(({ id, label, key }) => (
            <MenuItem
              key={id}
              current={id === view.period}
              hint={<kbd>{key.toUpperCase()}</kbd>}
              onPick={() => {
                setOpen(id === 'custom' ? 'dates' : null);
                if (id !== 'custom') onPick({ period: id, from: null, to: null });
              }}
            >
              {label}
              {id === 'custom' && '…'}
            </MenuItem>
          ))}
          {isComparable(view.period) && <Comparisons view={view} setOpen={setOpen} onPick={onPick} />}
        </>
      )}
    </Menu>
  );
}

function labelOf({ period, from, to }: View): string {
  if (from && to) return rangeName(from, to);
  return PERIODS.find(({ id }) => id === period)?.label ?? '';
}

/** What is chosen here is on or off: the same again takes it back. */
function Comparisons({ view: { compare }, setOpen, onPick }: Omit<Props, 'open' | 'today'>) {
  const pick = (next: View['compare']) => {
    setOpen(null);
    onPick({ compare: next });
  };
  return (
    <div role="group" aria-label="Compare with">
      <hr />
      <p class="menu-title" aria-hidden="true">
        Compare with
      </p>
      {COMPARISONS.map(({ id, label, key }) => {
        const on = compare?.kind === id;
        return (
          <MenuItem
            key={id}
            pressed={on}
            hint={on ? <Check /> : key && <kbd>{key.toUpperCase()}</kbd>}
            onPick={() => {
              if (on) pick(null);
              else if (id === 'custom') setOpen('compared dates');
              else pick(compareWith(id, compare));
            }}
          >
            {label}
            {id === 'custom' && !on && '…'}
          </MenuItem>
        );
      })}
      {compare && (
        <MenuItem
          pressed={compare.weekdays}
          hint={compare.weekdays && <Check />}
          onPick={() => pick({ ...compare, weekdays: !compare.weekdays })}
        >
          Match days of the week
        </MenuItem>
      )}
    </div>
  );
}

interface DatesProps {
  /** The two dates that stand there first. */
  range: { from: string | null; to: string | null } | null;
  onPick: (from: string, to: string) => void;
}

function Dates({ range, onPick }: DatesProps) {
  const [from, setFrom] = useState(range?.from ?? '');
  const [to, setTo] = useState(range?.to ?? '');
  const first = useFocus();
  const problem = rangeProblem(from, to);
  return (
    <form
      class="dates"
      onSubmit={(event) => {
        event.preventDefault();
        if (!problem) onPick(from, to);
      }}
    >
      <label>
        From
        <input
          type="date"
          required
          ref={first}
          value={from}
          onInput={(event) => setFrom(event.currentTarget.value)}
        />
      </label>
      <label>
        To
        <input
          type="date"
          required
          value={to}
          min={from}
          onInput={(event) => setTo(event.currentTarget.value)}
        />
      </label>
      {from && to && problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <button class="primary" type="submit" disabled={problem !== null}>
        Show
      </button>
    </form>
  );
}
