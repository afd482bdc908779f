// Where visitors went from a page.
import { useState } from 'preact/hooks';
import { flow } from '../api';
import { useQuery } from '../state/query';
import { exact } from '../text/numbers';
import { pathName } from '../text/values';
import { BarRow } from './bar-row';
import type { Asked } from './explore';
import { Explored } from './explored';
import { ExploreJourneys } from './explore-journeys';

interface Props extends Asked {
  page: string;
  onPage: (page: string) => void;
}

export function ExploreFlow({ question, questionKey, page, onPage }: Props) {
  const [draft, setDraft] = useState(page || '/');
  return (
    <>
      <form
        class="steps"
        onSubmit={(event) => {
          event.preventDefault();
          onPage(draft.trim());
        }}
      >
        <div class="step">
          <input
            class="find"
            aria-label="Page"
            value={draft}
            maxLength={256}
            onInput={(event) => setDraft(event.currentTarget.value)}
          />
          <button class="primary" type="submit" disabled={draft.trim() === ''}>
            Show next pages
          </button>
        </div>
      </form>
      <div class="explore-halves">
        <Result question={question} questionKey={questionKey} page={page || '/'} />
        <div>
          <ExploreJourneys question={question} questionKey={questionKey} page={page || '/'} />
        </div>
      </div>
    </>
  );
}

function Result({ question, questionKey, page }: Asked & { page: string }) {
  const query = useQuery(`${question.site} flow ${page}`, questionKey, (signal) =>
    flow(question, page, signal),
  );
  return (
    <Explored
      query={query}
      isEmpty={(rows) => rows.length === 0}
      empty={`Nobody went on from ${page} to another page in this period.`}
    >
      {(rows) => {
        const highest = Math.max(...rows.map((row) => row.visitors), 1);
        return (
          <ol class="bars">
            {rows.map((row) => (
              <BarRow
                key={row.next_page}
                part={row.visitors / highest}
                name={pathName(row.next_page)}
                title={row.next_page}
                count={exact(row.visitors)}
              />
            ))}
          </ol>
        );
      }}
    </Explored>
  );
}
