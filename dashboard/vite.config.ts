// Builds the web page: one HTML file, one script, one style sheet, no inline code of any kind, so that the server's
// content security policy (`default-src 'self'; script-src 'self'; style-src 'self'`) holds without exceptions.
//
// Output is flat: every file is served from `/{name}`. Names with a hash between two dots never change their content,
// and the server marks them immutable.
import { defineConfig } from 'vite';

const server = process.env['MALLARD_URL'] ?? 'http://localhost:8000';

export default defineConfig({
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
  // `npm run dev` serves the page itself and asks a running server for everything else.
  server: { proxy: { '/api': server, '/health': server, '/mallard.js': server } },
});
