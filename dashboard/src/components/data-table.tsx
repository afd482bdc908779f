// A table of figures: a line for each thing, its name first, then a column for each figure.
import type { ComponentChildren } from 'preact';

export interface Column<Line> {
  /** Empty for a column that holds buttons. */
  title: string;
  of: (line: Line) => ComponentChildren;
  /** A `share` is left out where the screen is narrow. */
  kind?: 'share';
}

interface Props<Line> {
  /** What the lines are. */
  name: { title: string; of: (line: Line) => ComponentChildren };
  columns: readonly Column<Line>[];
  lines: readonly Line[];
  keyOf: (line: Line) => string | number;
  /** Its lines are cards where the screen is narrow, so that no column is cut. */
  cards?: boolean;
}

export function DataTable<Line>({ name, columns, lines, keyOf, cards = false }: Props<Line>) {
  return (
    // As cards, it would not be a table any more without its roles.
    <table class={cards ? 'cards' : undefined} role="table">
      <thead role="rowgroup">
        <tr role="row">
          <th scope="col" role="columnheader">
            {name.title}
          </th>
          {columns.map(({ title, kind }) =>
            title === '' ? (
              <td key="" role="cell" />
            ) : (
              <th key={title} scope="col" role="columnheader" class={kind ? `number ${kind}` : 'number'}>
                {title}
              </th>
            ),
          )}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {lines.map((line) => (
          <tr key={keyOf(line)} role="row">
            <th scope="row" role="rowheader">
              {name.of(line)}
            </th>
            {columns.map(({ title, of, kind }) => (
              <td key={title} role="cell" data-title={title} class={kind ? `number muted ${kind}` : 'number'}>
                {of(line)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
