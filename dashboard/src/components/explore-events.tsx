// Custom events with their revenue, and what their properties say.
import { useState } from 'preact/hooks';
import { events, properties, type EventRow, type Filter, type FilterDimension } from '../api';
import { isFiltered, picked } from '../state/filters';
import { useQuery } from '../state/query';
import { exact, money } from '../text/numbers';
import type { Asked } from './explore';
import { Explored } from './explored';
import { DataTable } from './data-table';
import { Value } from './value';

interface Props extends Asked {
  onFilter: (filter: Filter) => void;
  /** Whose property is shown; empty for that of any event. */
  event: string;
  /** The key of the property; empty for none. */
  property: string;
  onProperty: (shown: { event: string; property: string }) => void;
}

const ROWS = 100;
const KEY_MAX = 300;

export function ExploreEvents({ event, property, onProperty, ...asked }: Props) {
  const { question, questionKey } = asked;
  const query = useQuery(`${question.site} events`, questionKey, (signal) => events(question, ROWS, signal));
  const names = (query.data?.value ?? []).map(({ value }) => value);
  return (
    <>
      <Explored
        query={query}
        isEmpty={(rows) => rows.length === 0}
        empty="No custom events in this period. Your pages send them with mallard('Signup')."
      >
        {(rows) => <EventTable rows={rows} title="Event" dimension="event" {...asked} />}
      </Explored>
      <h3>Properties</h3>
      <PropertyForm
        key={`${event} ${property}`}
        names={names.includes(event) || event === '' ? names : [event, ...names]}
        event={event}
        property={property}
        onProperty={onProperty}
      />
      {property && <Properties event={event} property={property} {...asked} />}
    </>
  );
}

interface FormProps extends Pick<Props, 'event' | 'property' | 'onProperty'> {
  /** Of the events that there are. */
  names: readonly string[];
}

/** The server cannot say which keys there are; who sends them knows. */
function PropertyForm({ names, event, property, onProperty }: FormProps) {
  const [of, setOf] = useState(event);
  const [key, setKey] = useState(property);
  return (
    <form
      class="steps"
      onSubmit={(submitted) => {
        submitted.preventDefault();
        onProperty({ event: of, property: key.trim() });
      }}
    >
      <div class="step">
        <select
          aria-label="Of which event"
          value={of}
          onChange={(change) => setOf(change.currentTarget.value)}
        >
          <option value="">Any event</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        <input
          class="find"
          aria-label="Key of the property"
          placeholder="Its key, such as plan"
          autocapitalize="none"
          autocomplete="off"
          spellcheck={false}
          value={key}
          maxLength={KEY_MAX}
          onInput={(input) => setKey(input.currentTarget.value)}
        />
        <button class="primary" type="submit" disabled={key.trim() === ''}>
          Show values
        </button>
      </div>
    </form>
  );
}

interface PropertiesProps extends Asked, Pick<Props, 'event' | 'property' | 'onFilter'> {}

function Properties({ question, questionKey, event, property, onFilter }: PropertiesProps) {
  // Only events of this name, and not the visits in which there is one: others may have a property of this key, too.
  const only: readonly Filter[] = event ? [{ operator: 'is', dimension: 'event', values: [event] }] : [];
  const query = useQuery(`${question.site} property ${event} ${property}`, questionKey, (signal) =>
    properties({ ...question, filters: [...question.filters, ...only] }, property, ROWS, signal),
  );
  return (
    <Explored
      query={query}
      isEmpty={(rows) => rows.length === 0}
      empty={`No ${event ? `event ${event}` : 'event'} has a property ${property} in this period.`}
    >
      {(rows) => (
        <EventTable
          rows={rows}
          title={property}
          dimension={`props:${property}`}
          question={question}
          onFilter={onFilter}
        />
      )}
    </Explored>
  );
}

interface TableProps extends Pick<Props, 'question' | 'onFilter'> {
  rows: readonly EventRow[];
  title: string;
  dimension: FilterDimension;
}

function EventTable({ rows, title, dimension, question, onFilter }: TableProps) {
  return (
    <DataTable
      cards
      name={{
        title,
        of: (row) => {
          const filter = picked(dimension, row.value);
          return (
            <Value
              filter={filter}
              figures={`${exact(row.visitors)} visitors, ${exact(row.events)} events`}
              filtered={isFiltered(question.filters, filter)}
              onPick={onFilter}
            />
          );
        },
      }}
      columns={[
        { title: 'Visitors', of: (row) => exact(row.visitors) },
        { title: 'Events', of: (row) => exact(row.events) },
        { title: 'Revenue', of: (row) => row.revenue.map(money).join(' + ') },
      ]}
      lines={rows}
      keyOf={(row) => row.value}
    />
  );
}
