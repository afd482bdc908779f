// Builds the web page: one HTML file, one script, one style sheet, no inline code of any kind, so that the server's
// content security policy (`default-src 'self'; script-src 'self'; style-src 'self'`) holds without exceptions.
//
// Output is flat: every file is served from `/{name}`. Names with a hash between two dots never change their content,
// and the server marks them immutable.
import { defineConfig, type Plugin } from 'vite';

const server = process.env['MALLARD_URL'] ?? 'http://localhost:8000';

// The script applies the chosen colours; painted before it, the page would flash in the others.
const scriptBeforePaint: Plugin = {
  name: 'script-before-paint',
  transformIndexHtml: {
    order: 'post',
    handler: (html) => html.replace('<script type="module"', '<script type="module" blocking="render"'),
  },
};

export default defineConfig({
  plugins: [scriptBeforePaint],
  build: {
    // `light-dark()` and `@property` are used as they are.
    target: ['chrome123', 'edge123', 'firefox128', 'safari17.5'],
    assetsDir: '',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        entryFileNames: 'app.[hash:10].js',
        chunkFileNames: '[name].[hash:10].js',
        assetFileNames: '[name].[hash:10][extname]',
      },
    },
  },
  // `npm run dev` serves the page itself and asks a running server for everything else. The server must see the host that
  // the page comes from: it refuses what another origin asks for.
  server: { proxy: { '^/(api|health|mallard.js)': { target: server, changeOrigin: false } } },
});
