// Which days are shown: a list, and two dates for a range of one's own.
import { useState } from 'preact/hooks';
import { useFocus } from '../state/focus';
import { PERIODS, rangeProblem } from '../state/period';
import type { View } from '../state/url';
import { rangeName } from '../text/buckets';
import { Chevron } from './icons';
import { Menu, MenuItem } from './menu';

export type OpenPart = 'list' | 'dates' | null;

interface Props {
  view: View;
  open: OpenPart;
  setOpen: (open: OpenPart) => void;
  onPick: (change: Pick<View, 'period' | 'from' | 'to'>) => void;
}

export function PeriodPicker({ view, open, setOpen, onPick }: Props) {
  const label = (
    <>
      <span>{labelOf(view)}</span>
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
      {open === 'dates' ? (
        <Dates
          view={view}
          onPick={(from, to) => {
            setOpen(null);
            onPick({ period: 'custom', from, to });
          }}
        />
      ) : (
        PERIODS.map(({ id, label, key }) => (
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
        ))
      )}
    </Menu>
  );
}

function labelOf({ period, from, to }: View): string {
  if (from && to) return rangeName(from, to);
  return PERIODS.find(({ id }) => id === period)?.label ?? '';
}

function Dates({ view, onPick }: { view: View; onPick: (from: string, to: string) => void }) {
  const [from, setFrom] = useState(view.from ?? '');
  const [to, setTo] = useState(view.to ?? '');
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
