// The range as a file. They are links, so that a browser can open or keep them its own way; a plain click asks for the file
// here, since of a download that is refused a browser says only "Failed".
import { useState } from 'preact/hooks';
import { download, exportAddress, type Question } from '../api';
import { saveAs } from '../text/file';
import { Problem } from './problem';
import { sentence, useAction } from './submit';

const FILES = [
  ['Days as CSV', 'daily', 'csv'],
  ['Days as JSON', 'daily', 'json'],
  ['Events as CSV', 'events', 'csv'],
  ['Events as NDJSON', 'events', 'json'],
] as const;

export function Files({ question }: { question: Question }) {
  const { busy, error, run } = useAction();
  const [wanted, setWanted] = useState('');

  const onClick = (event: MouseEvent, name: string, address: string) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (busy) return;
    setWanted(name);
    void run(async () => {
      const file = await download(address);
      saveAs(file.content, `${question.site} ${file.name}`);
    });
  };

  return (
    <nav class="files" aria-label="Export">
      {FILES.map(([name, kind, format]) => {
        const address = exportAddress(question, kind, format);
        return (
          <a
            key={name}
            class="link"
            href={address}
            download
            aria-disabled={busy || undefined}
            onClick={(event) => onClick(event, name, address)}
          >
            {name}
            {kind === 'events' && question.filters.length > 0 && ', unfiltered'}
          </a>
        );
      })}
      <span class="muted" role="status">
        {busy && `${wanted}: on its way…`}
      </span>
      <Problem error={error && `${wanted}: ${sentence(error)}`} />
    </nav>
  );
}
