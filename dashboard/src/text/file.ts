// Handing a file to the person that wanted it.

/** Long enough for the browser to have taken it over. */
const KEPT_MS = 60_000;

export function saveAs(content: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}
