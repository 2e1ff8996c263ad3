// Refuses a build that is too heavy for a phone in a cellar.
import { brotliCompressSync, gzipSync } from 'node:zlib'
import type { Plugin, Rollup } from 'vite'

// All pages together, compressed by brotli: what a browser gets from another machine, since that is always HTTPS.
export const ALL_BYTES_MAX = 150_000
// What index.html loads before it shows anything, by gzip: the heavier form, which plain HTTP on loopback gets.
export const FIRST_BYTES_MAX = 60_000

type Built = Record<string, { code?: string; source?: string | Uint8Array; imports?: string[]; css?: string[]; isEntry?: boolean }>

/** The files that a page loads before it shows anything (gzip), and all files (brotli); bytes. */
export function weigh(built: Built): { first: number; all: number } {
  const size = (name: string, compressed: (bytes: string | Uint8Array) => Uint8Array): number => {
    const bytes = built[name]?.code ?? built[name]?.source
    return bytes === undefined ? 0 : compressed(bytes).length
  }
  const first = new Set<string>()
  const take = (name: string): void => {
    if (first.has(name)) return
    first.add(name)
    const file = built[name]
    for (const other of [...(file?.imports ?? []), ...(file?.css ?? [])]) take(other)
  }
  for (const [name, file] of Object.entries(built)) {
    if (file.isEntry || name.endsWith('.html')) take(name)
    // Styles of all pages are one file, which no script imports.
    if (name.endsWith('.html')) for (const other of Object.keys(built)) if (other.endsWith('.css') && String(file.source).includes(other)) take(other)
  }
  const sum = (names: Iterable<string>, compressed: (bytes: string | Uint8Array) => Uint8Array): number => [...names].reduce((total, name) => total + size(name, compressed), 0)
  return { first: sum(first, (bytes) => gzipSync(bytes, { level: 9 })), all: sum(Object.keys(built), (bytes) => brotliCompressSync(bytes)) }
}

export function limit(): Plugin {
  return {
    name: 'muster-limit',
    apply: 'build',
    enforce: 'post',
    writeBundle(_options, bundle: Rollup.OutputBundle) {
      const built: Built = {}
      for (const [name, file] of Object.entries(bundle)) {
        if (file.type === 'asset') built[name] = { source: file.source }
        else {
          const css = (file as { viteMetadata?: { importedCss?: Set<string> } }).viteMetadata?.importedCss
          built[name] = { code: file.code, imports: file.imports, css: [...(css ?? [])], isEntry: file.isEntry }
        }
      }
      const { first, all } = weigh(built)
      const shown = `${(first / 1000).toFixed(1)} kB compressed before the first page shows, ${(all / 1000).toFixed(1)} kB in all`
      if (first >= FIRST_BYTES_MAX) {
        this.error(`pages: ${shown}; at most ${FIRST_BYTES_MAX / 1000} kB are allowed: load by \`import()\` what the first page does not need`)
      }
      if (all >= ALL_BYTES_MAX) this.error(`pages: ${shown}; below ${ALL_BYTES_MAX / 1000} kB are allowed in all`)
      console.log(`pages: ${shown}`)
    },
  }
}
