// The colours of the style sheet, for the canvas. They are registered with `@property`, so that what is read here is a
// colour and no longer an expression.

export interface Colours {
  line: string;
  fillTop: string;
  fillBottom: string;
  grid: string;
  text: string;
  surface: string;
  font: string;
}

export function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name);
  return {
    line: colour('--accent'),
    fillTop: colour('--chart-fill'),
    fillBottom: colour('--chart-fill-end'),
    grid: colour('--grid'),
    text: colour('--muted'),
    surface: colour('--surface'),
    font: `12px ${style.fontFamily}`,
  };
}
