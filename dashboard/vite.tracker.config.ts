// Builds the tracker: one small classic script, `dist/mallard.js`, beside the page that `vite.config.ts` builds first.
import { defineConfig } from 'vite';

export default defineConfig({
  publicDir: false,
  build: {
    target: 'es2018',
    emptyOutDir: false,
    lib: {
      entry: 'tracker/start.ts',
      formats: ['iife'],
      name: 'mallardTracker',
      fileName: () => 'mallard.js',
    },
    modulePreload: { polyfill: false },
  },
});
