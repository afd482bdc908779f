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
}

export function DataTable<Line>({ name, columns, lines, keyOf }: Props<Line>) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{name.title}</th>
          {columns.map(({ title, kind }) =>
            title === '' ? (
              <td key="" />
            ) : (
              <th key={title} scope="col" class={kind ? `number ${kind}` : 'number'}>
                {title}
              </th>
            ),
          )}
        </tr>
      </thead>
      <tbody>
        {lines.map((line) => (
          <tr key={keyOf(line)}>
            <th scope="row">{name.of(line)}</th>
            {columns.map(({ title, of, kind }) => (
              <td key={title} class={kind ? `number muted ${kind}` : 'number'}>
                {of(line)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
