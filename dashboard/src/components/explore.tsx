// The card below the panels: one further report at a time, and the range as a file.
import type { Filter, Question } from '../api';
import { toggle } from '../state/filters';
import { EXPLORES, type Explore as Tab, type Navigation } from '../state/url';
import { ExploreEvents } from './explore-events';
import { ExploreFlow } from './explore-flow';
import { ExploreFunnel } from './explore-funnel';
import { ExploreGoals } from './explore-goals';
import { ExploreRealtime } from './explore-realtime';
import { ExploreRetention } from './explore-retention';
import { Files } from './files';
import { Tabs } from './tabs';

/** What every report of this card is about. */
export interface Asked {
  question: Question;
  questionKey: string;
}

const TITLES: Record<Tab, string> = {
  events: 'Events',
  goals: 'Goals',
  funnel: 'Funnel',
  retention: 'Retention',
  flow: 'Flow',
  realtime: 'Realtime',
};

export function Explore({ question, questionKey, view, go }: Asked & Navigation) {
  const asked = { question, questionKey };
  const pick = (filter: Filter) => go({ filters: toggle(view.filters, filter) });

  return (
    <section class="card explore" aria-label="Explore">
      <Tabs
        name="Report"
        tabs={EXPLORES.map((id) => ({ id, title: TITLES[id] }))}
        current={view.explore}
        onPick={(explore) => go({ explore }, 'replace')}
        controls="explore-report"
      />
      <div
        id="explore-report"
        class="explore-report"
        role="tabpanel"
        aria-label={TITLES[view.explore]}
        tabIndex={0}
      >
        {view.explore === 'events' && (
          <ExploreEvents
            {...asked}
            event={view.event}
            property={view.property}
            onFilter={pick}
            onProperty={go}
          />
        )}
        {view.explore === 'goals' && <ExploreGoals {...asked} onFilter={pick} />}
        {view.explore === 'funnel' && (
          <ExploreFunnel {...asked} steps={view.steps} window={view.window} onFunnel={go} />
        )}
        {view.explore === 'retention' && <ExploreRetention {...asked} />}
        {view.explore === 'flow' && (
          <ExploreFlow {...asked} page={view.page} onPage={(page) => go({ page })} />
        )}
        {view.explore === 'realtime' && <ExploreRealtime {...asked} />}
      </div>
      <Files question={question} />
    </section>
  );
}
