// The keyboard shortcuts, in a box.
import { PERIODS } from '../state/period';
import { Dialog } from './dialog';

const OTHERS: readonly [string, string][] = [
  ['V', 'Chart of visitors'],
  ['P', 'Chart of pageviews'],
  ['X', 'Compare with the previous period'],
  ['S', 'Choose a site'],
  ['U', 'Update now'],
  ['B', 'Light or dark colours'],
  ['?', 'This help'],
  ['Esc', 'Close'],
];

export function ShortcutHelp({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <div class="shortcuts">
        <dl>
          {PERIODS.map(({ id, key, label }) => (
            <Shortcut key={id} keyName={key.toUpperCase()} label={label} />
          ))}
        </dl>
        <dl>
          {OTHERS.map(([keyName, label]) => (
            <Shortcut key={keyName} keyName={keyName} label={label} />
          ))}
        </dl>
      </div>
    </Dialog>
  );
}

function Shortcut({ keyName, label }: { keyName: string; label: string }) {
  return (
    <div class="shortcut">
      <dt>
        <kbd>{keyName}</kbd>
      </dt>
      <dd>{label}</dd>
    </div>
  );
}
