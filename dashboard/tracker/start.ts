// The entry of dist/mallard.js: the script element is known only while the script itself runs.
import { install } from './mallard';

if (document.currentScript instanceof HTMLScriptElement) install(document.currentScript);
