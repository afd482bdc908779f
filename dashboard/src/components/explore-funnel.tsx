// A funnel that is put together here: its steps are in the address, as the server reads them.
import { useState } from 'preact/hooks';
import { funnel } from '../api';
import { useQuery } from '../state/query';
import { WINDOWS, type FunnelWindow } from '../state/url';
import { exact, percent } from '../text/numbers';
import { pathName } from '../text/values';
import { BarRow } from './bar-row';
import type { Asked } from './explore';
import { Explored } from './explored';
import { Close } from './icons';

interface Props extends Asked {
  steps: string;
  window: FunnelWindow;
  onFunnel: (funnel: { steps: string; window: FunnelWindow }) => void;
}

const STEPS_MAX = 32;

interface Step {
  kind: 'page' | 'event';
  name: string;
}

const read = (steps: string): Step[] =>
  steps.split(',').map((text) => {
    const kind = text.startsWith('event:') ? 'event' : 'page';
    return { kind, name: text.replace(/^(page|event):/, '') };
  });

export function ExploreFunnel({ question, questionKey, steps, window, onFunnel }: Props) {
  const [draft, setDraft] = useState<Step[]>(
    steps
      ? read(steps)
      : [
          { kind: 'page', name: '/' },
          { kind: 'page', name: '' },
        ],
  );
  const [within, setWithin] = useState(window);
  const change = (at: number, step: Partial<Step>) =>
    setDraft(draft.map((one, i) => (i === at ? { ...one, ...step } : one)));
  // A comma would begin the next step.
  const complete = draft.every(({ name }) => name.trim() !== '' && !name.includes(','));

  return (
    <>
      <form
        class="steps"
        onSubmit={(event) => {
          event.preventDefault();
          const next = draft.map(({ kind, name }) => `${kind}:${name.trim()}`).join(',');
          if (complete) onFunnel({ steps: next, window: within });
        }}
      >
        {draft.map((step, i) => (
          <div class="step" key={i}>
            <span class="muted">{i + 1}</span>
            <select
              aria-label={`Step ${i + 1}: what`}
              value={step.kind}
              onChange={(event) => change(i, { kind: event.currentTarget.value as Step['kind'] })}
            >
              <option value="page">Page</option>
              <option value="event">Event</option>
            </select>
            <input
              class="find"
              aria-label={`Step ${i + 1}`}
              placeholder={step.kind === 'page' ? '/pricing' : 'signup'}
              value={step.name}
              maxLength={256}
              onInput={(event) => change(i, { name: event.currentTarget.value })}
            />
            <button
              class="tool"
              type="button"
              aria-label={`Remove step ${i + 1}`}
              title="Remove this step"
              disabled={draft.length === 1}
              onClick={() => setDraft(draft.filter((_, at) => at !== i))}
            >
              <Close />
            </button>
          </div>
        ))}
        <div class="step-tools">
          <button
            class="secondary"
            type="button"
            disabled={draft.length >= STEPS_MAX}
            onClick={() => setDraft([...draft, { kind: 'page', name: '' }])}
          >
            Add step
          </button>
          <label>
            Within{' '}
            <select value={within} onChange={(event) => setWithin(event.currentTarget.value as FunnelWindow)}>
              {WINDOWS.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
          <button class="primary" type="submit" disabled={!complete}>
            Show funnel
          </button>
        </div>
      </form>
      {steps && <Result question={question} questionKey={questionKey} steps={steps} window={window} />}
    </>
  );
}

function Result({ question, questionKey, steps, window }: Asked & { steps: string; window: string }) {
  const query = useQuery(`${question.site} ${steps}`, `${questionKey} ${window}`, (signal) =>
    funnel(question, steps, window, signal),
  );
  return (
    <Explored
      query={query}
      isEmpty={(lines) => !lines[0]?.visitors}
      empty="Nobody took the first step in this period."
    >
      {(lines) => (
        <ol class="bars funnel">
          {lines.map((line) => (
            <BarRow
              key={line.step}
              part={line.overall_conversion_rate}
              name={`${line.step}. ${pathName(line.label.replace(/^(page|event):/, ''))}`}
              title={line.label}
              share={line.step > 1 && `${percent(line.conversion_rate)} of the step before`}
              count={exact(line.visitors)}
            />
          ))}
        </ol>
      )}
    </Explored>
  );
}
