// The figures of one site: the overview, six panels, and what one must know to read them.
import { comparedFigures, type Filter, type Site } from '../api';
import { isTodayAlone } from '../state/comparison';
import { toggle } from '../state/filters';
import { choose, PANELS, shownIn } from '../state/panels';
import { todayIn } from '../state/period';
import { useQuery } from '../state/query';
import type { Scheme } from '../state/theme';
import { comparisonOf, questionOf, type Navigation } from '../state/url';
import { Details } from './details';
import { Explore } from './explore';
import { Filters } from './filters';
import { Notice } from './notice';
import { Overview } from './overview';
import { Panel } from './panel';

interface Props extends Navigation {
  site: Site;
  scheme: Scheme;
}

export function Report({ site, scheme, view, go }: Props) {
  const question = questionOf(view, site.site_id);
  const key = JSON.stringify(question);
  const comparison = comparisonOf(view);
  const figures = useQuery(site.site_id, `${key} ${JSON.stringify(comparison)}`, (signal) =>
    comparedFigures(question, comparison, signal),
  );
  const visitors = figures.stale ? null : (figures.data?.value.current.unique_visitors ?? null);
  const shared = { question, questionKey: key, visitors };
  // A list that was open has done its work.
  const pick = (filter: Filter) => go({ filters: toggle(view.filters, filter), details: null });

  return (
    <>
      <h1 class="visually-hidden">{site.site_id}</h1>
      {/* All answers of a range miss the same days; the first one speaks for them. */}
      {figures.data?.incomplete && (
        <Notice>
          Some stored data is damaged, and these figures go without it: {figures.data.incomplete}. The
          server's health page names the files.
        </Notice>
      )}
      <Filters question={question} filters={view.filters} onChange={(filters) => go({ filters })} />
      <Overview
        question={question}
        questionKey={key}
        comparison={comparison}
        partial={isTodayAlone(view.period, view.from, view.to, todayIn(site.timezone ?? 'UTC'))}
        figures={figures}
        metric={view.metric}
        onMetric={(metric) => go({ metric }, 'replace')}
        scheme={scheme}
      />
      <div class="panels">
        {PANELS.map((panel) => {
          const dimension = shownIn(panel, view.tabs);
          return (
            <Panel
              key={panel.id}
              panel={panel}
              dimension={dimension}
              {...shared}
              onFilter={pick}
              onTab={(next) => go({ tabs: choose(view.tabs, next) }, 'replace')}
              onDetails={() => go({ details: dimension })}
            />
          );
        })}
      </div>
      {view.details && (
        <Details dimension={view.details} {...shared} onFilter={pick} onClose={() => go({ details: null })} />
      )}
      <Explore question={question} questionKey={key} view={view} go={go} />
      <footer class="footnote">
        Visitors of more than one day are the sum of each day's visitors: their ids change at 00:00 UTC, so
        that nobody can be followed from one day to the next. Times are in {site.timezone ?? 'UTC'}.
      </footer>
    </>
  );
}
