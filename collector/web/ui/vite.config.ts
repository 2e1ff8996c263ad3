// How the pages are built, and how they are served while somebody works on them.
import { defineConfig } from 'vite'
import { compress } from './build/compress'
import { limit } from './build/limit'
import { trim } from './build/trim'

// A running collector; its API answers beside the pages, with its cookies.
const collector = process.env['MUSTER_URL'] ?? 'http://127.0.0.1:9470'
// The collector takes a change only from its own origin: the pages of this server are its pages while they are worked on.
const proxied = {
  target: collector,
  changeOrigin: true,
  headers: { origin: collector },
}
const proxy = { '/api': proxied, '/loki': proxied, '/install': proxied, '/-': proxied }

// As collector/web/src/lib.rs has it; `vite preview` shows what it refuses.
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; frame-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Few files compress better than many (by a sixth, measured), and who has opened one page has the others: all but Problems are one.
function manualChunks(id: string): string | undefined {
  if (/\/uplot\//.test(id)) return 'more'
  const isPart = /\/src\/parts\//.test(id) && !/\/parts\/(Plot|Graph|series|unit|expression|QueryField|querytext|CopyAs|HeatMap)\./.test(id)
  if (isPart || /\/node_modules\/|preload-helper|\/src\/(api|pages\/problems|shell|time|url)\/|\/query.css$/.test(id)) return 'base'
  return /\/src\/(lines|inventory|discovery|parts|pages\/[a-z]+)\//.test(id) ? 'more' : undefined
}

export default defineConfig({
  plugins: [trim(), limit(), compress()],
  // Shorter than what the automatic form makes, by a hundredth.
  esbuild: { jsx: 'transform', jsxFactory: 'h', jsxFragment: 'F', jsxInject: "import { h, Fragment as F } from 'preact'" },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    // One file of styles for all pages: 1 kB less in all, 4 kB more before the first page.
    cssCodeSplit: false,
    // A twentieth shorter by brotli than esbuild's: it names by how often letters stand in the code.
    minify: 'terser',
    terserOptions: { ecma: 2020, module: true, compress: { passes: 2 } },
    // Pictures too are files of their own: nothing is in an attribute's text.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: { output: { manualChunks } },
  },
  server: { proxy },
  preview: { proxy, headers: { 'Content-Security-Policy': policy } },
})
