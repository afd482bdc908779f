// A filter is put together: what it is about, how it is compared, and with which values.
import { useId, useState } from 'preact/hooks';
import type { Filter, FilterDimension, Operator, Question } from '../api';
import { operatorsOf } from '../state/filters';
import { PANELS, dimensionsOf } from '../state/panels';
import { dimensionName, OPERATORS } from '../text/filters';
import { Dialog } from './dialog';
import { Field } from './field';
import { Close } from './icons';
import { Select } from './select';
import { Suggestions } from './suggestions';

interface Props {
  question: Question;
  /** The one to change; null for a new one. */
  filter: Filter | null;
  onFilter: (filter: Filter) => void;
  onClose: () => void;
}

/** A property before its key is known. */
const PROPERTY = 'props';

/** What the operators need to be understood. */
const HINTS: Partial<Record<Operator, string>> = {
  matches: 'A regular expression, with the syntax of RE2: ^/blog/\\d+$',
  matches_not: 'A regular expression, with the syntax of RE2: ^/blog/\\d+$',
  has_done: 'Keeps whole visits: those in which this happened at least once.',
  has_not_done: 'Keeps whole visits: those in which this never happened.',
};

const VALUES_MAX = 20;

export function FilterDialog({ question, filter, onFilter, onClose }: Props) {
  const list = useId();
  const isProperty = filter?.dimension.startsWith('props:') ?? false;
  const [about, setAbout] = useState<string>(isProperty ? PROPERTY : (filter?.dimension ?? 'pages'));
  const [key, setKey] = useState(isProperty ? (filter?.dimension.slice(6) ?? '') : '');
  const [operator, setOperator] = useState<Operator>(filter?.operator ?? 'is');
  const [values, setValues] = useState<readonly string[]>(filter?.values ?? ['']);
  const [touched, setTouched] = useState(false);

  const dimension = (about === PROPERTY ? `props:${key.trim()}` : about) as FilterDimension;
  const operators = operatorsOf(dimension);
  const given = values.map((value) => value.trim()).filter((value) => value !== '');
  const missingKey = about === PROPERTY && key.trim() === '';

  const choose = (next: string) => {
    setAbout(next);
    const possible = operatorsOf((next === PROPERTY ? 'props:' : next) as FilterDimension);
    // What is mostly meant differs between a page and an event; a choice that was made otherwise is kept where it can be.
    setOperator(possible.includes(operator) && operator !== 'is' ? operator : (possible[0] ?? 'is'));
    setValues(['']);
  };
  const put = (at: number, value: string) => setValues(values.map((one, i) => (i === at ? value : one)));

  return (
    <Dialog title={filter ? 'Change filter' : 'Add filter'} onClose={onClose}>
      <form
        class="dialog-form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          setTouched(true);
          if (!missingKey && given.length > 0) onFilter({ operator, dimension, values: given });
        }}
      >
        <div class="fields">
          <Select label="Show only where" value={about} onValue={choose}>
            <optgroup label="Behaviour">
              <option value="goal">Goal</option>
              <option value="event">Event</option>
              <option value={PROPERTY}>Property</option>
            </optgroup>
            {PANELS.map((panel) => (
              <optgroup key={panel.id} label={panel.title}>
                {dimensionsOf(panel).map((one) => (
                  <option key={one} value={one}>
                    {dimensionName(one)}
                  </option>
                ))}
              </optgroup>
            ))}
          </Select>
          <Select label="Comparison" value={operator} onValue={(next) => setOperator(next as Operator)}>
            {operators.map((one) => (
              <option key={one} value={one}>
                {OPERATORS[one]}
              </option>
            ))}
          </Select>
        </div>
        {about === PROPERTY && (
          <Field
            label="Key of the property"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            placeholder="plan"
            value={key}
            onValue={setKey}
            problem={touched && missingKey ? 'Which property? Events carry it as props: { plan: … }.' : null}
          />
        )}
        <div class="values" role="group" aria-label="Values">
          {values.map((value, i) => (
            <div class="value-line" key={i}>
              <Field
                label={i === 0 ? 'Value' : `or value ${i + 1}`}
                list={list}
                autocomplete="off"
                autocapitalize="none"
                spellcheck={false}
                first={i > 0}
                value={value}
                onValue={(next) => put(i, next)}
                problem={touched && i === 0 && given.length === 0 ? 'Which value?' : null}
                hint={i === 0 ? HINTS[operator] : undefined}
              />
              {values.length > 1 && (
                <button
                  class="tool"
                  type="button"
                  aria-label={`Remove value ${i + 1}`}
                  onClick={() => setValues(values.filter((_, at) => at !== i))}
                >
                  <Close />
                </button>
              )}
            </div>
          ))}
          <button
            class="link"
            type="button"
            disabled={values.length >= VALUES_MAX}
            onClick={() => setValues([...values, ''])}
          >
            Or another value
          </button>
        </div>
        {!missingKey && <Suggestions id={list} question={question} dimension={dimension} except={filter} />}
        <button class="primary" type="submit">
          {filter ? 'Change filter' : 'Add filter'}
        </button>
      </form>
    </Dialog>
  );
}
