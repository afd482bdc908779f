// The card below the panels: one further report at a time, and the range as a file.
import { useRef } from 'preact/hooks';
import { exportAddress, type Question } from '../api';
import { EXPLORES, type Explore as Tab, type Navigation } from '../state/url';
import { ExploreEvents } from './explore-events';
import { ExploreFlow } from './explore-flow';
import { ExploreFunnel } from './explore-funnel';
import { ExploreGoals } from './explore-goals';
import { ExplorePages } from './explore-pages';
import { ExploreRealtime } from './explore-realtime';
import { ExploreRetention } from './explore-retention';

/** What every report of this card is about. */
export interface Asked {
  question: Question;
  questionKey: string;
}

const TITLES: Record<Tab, string> = {
  events: 'Events',
  goals: 'Goals',
  pages: 'Entry and exit',
  funnel: 'Funnel',
  retention: 'Retention',
  flow: 'Flow',
  realtime: 'Realtime',
};

const FILES = [
  ['Days as CSV', 'daily', 'csv'],
  ['Days as JSON', 'daily', 'json'],
  ['Events as CSV', 'events', 'csv'],
  ['Events as NDJSON', 'events', 'json'],
] as const;

export function Explore({ question, questionKey, view, go }: Asked & Navigation) {
  const tabs = useRef<HTMLDivElement>(null);
  const pick = (explore: Tab) => go({ explore }, 'replace');
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = EXPLORES.at((EXPLORES.indexOf(view.explore) + step) % EXPLORES.length);
    if (next) pick(next);
    tabs.current?.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
    event.preventDefault();
  };
  const asked = { question, questionKey };

  return (
    <section class="card explore" aria-label="Explore">
      <div class="tabs" role="tablist" aria-label="Report" ref={tabs} onKeyDown={move}>
        {EXPLORES.map((tab) => (
          <button
            key={tab}
            id={`tab-${tab}`}
            class="tab"
            type="button"
            role="tab"
            aria-selected={tab === view.explore}
            aria-controls="explore-report"
            tabIndex={tab === view.explore ? 0 : -1}
            onClick={() => pick(tab)}
          >
            {TITLES[tab]}
          </button>
        ))}
      </div>
      <div
        id="explore-report"
        class="explore-report"
        role="tabpanel"
        aria-labelledby={`tab-${view.explore}`}
        tabIndex={0}
      >
        {view.explore === 'events' && <ExploreEvents {...asked} />}
        {view.explore === 'goals' && <ExploreGoals {...asked} />}
        {view.explore === 'pages' && <ExplorePages {...asked} />}
        {view.explore === 'funnel' && (
          <ExploreFunnel {...asked} steps={view.steps} onSteps={(steps) => go({ steps })} />
        )}
        {view.explore === 'retention' && <ExploreRetention {...asked} />}
        {view.explore === 'flow' && (
          <ExploreFlow {...asked} page={view.page} onPage={(page) => go({ page })} />
        )}
        {view.explore === 'realtime' && <ExploreRealtime {...asked} />}
      </div>
      <nav class="files" aria-label="Export">
        {FILES.map(([name, kind, format]) => (
          <a key={name} class="link" href={exportAddress(question, kind, format)} download>
            {name}
          </a>
        ))}
      </nav>
    </section>
  );
}
