// The entry of the page.
import './styles/index.css';
import { render } from 'preact';
import { App } from './app';
import { applyTheme } from './state/theme';

applyTheme();

const root = document.getElementById('app');
if (root) render(<App />, root);
