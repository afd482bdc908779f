// The bar at the top: the site, who is there now, the period, and the small tools.
import type { ComponentChildren } from 'preact';
import type { Scheme } from '../state/theme';
import { Help, Leave, Mark, Moon, Refresh, Sun, Tune } from './icons';

interface Props {
  /** Left: the site switcher and who is there now. */
  site: ComponentChildren;
  /** Right: the period picker; null where there is nothing to choose. */
  period: ComponentChildren;
  /** What must be seen wherever the page is scrolled to. */
  notice: ComponentChildren;
  scheme: Scheme;
  onToggleScheme: () => void;
  onRefresh: () => void;
  onHelp: () => void;
  onSettings: () => void;
  onLeave: () => void;
}

export function Header({ site, period, notice, ...props }: Props) {
  const { scheme, onToggleScheme, onRefresh, onHelp, onSettings, onLeave } = props;
  return (
    <header class="header">
      <div class="header-row">
        <a class="home" href="/" aria-label="Mallard Metrics, start page">
          <Mark />
        </a>
        <div class="header-site">{site}</div>
        {period && <div class="header-period">{period}</div>}
        <div class="header-tools">
          <Tool name="Refresh" onUse={onRefresh} icon={<Refresh />} wide />
          <Tool
            name={scheme === 'dark' ? 'Light colours' : 'Dark colours'}
            onUse={onToggleScheme}
            icon={scheme === 'dark' ? <Sun /> : <Moon />}
          />
          <Tool name="Keyboard shortcuts" onUse={onHelp} icon={<Help />} wide />
          <Tool name="Settings" onUse={onSettings} icon={<Tune />} />
          <Tool name="Log out" onUse={onLeave} icon={<Leave />} />
        </div>
      </div>
      <div class="header-notice">{notice}</div>
    </header>
  );
}

interface ToolProps {
  name: string;
  icon: ComponentChildren;
  onUse: () => void;
  /** Left out on a phone, which has no keyboard and pulls down to refresh. */
  wide?: boolean;
}

function Tool({ name, icon, onUse, wide = false }: ToolProps) {
  return (
    <button class={wide ? 'tool wide' : 'tool'} type="button" aria-label={name} title={name} onClick={onUse}>
      {icon}
    </button>
  );
}
