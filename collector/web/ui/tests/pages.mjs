// Opens the pages of a running collector in Chromium: every file of tests/pages, or those named; with `--of figures` those of tests/figures.
//   MUSTER_URL, MUSTER_USER, MUSTER_PASSWORD   where, and as whom
//   MUSTER_TOKEN                               an administrator's, for what tests change over the API
//   MUSTER_PROGRAMS, MUSTER_STATES             folders of the programs and of enrolled agents' states (`push`); may be absent
//   MUSTER_OUT                                 where pictures go
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(here)
const words = process.argv.slice(2)
const folder = words[0] === '--of' ? words.splice(0, 2)[1] : 'pages'
const all = readdirSync(join(here, folder))
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.replace(/\.ts$/, ''))
  .sort()
const wanted = words
const unknown = wanted.filter((name) => !all.includes(name))
if (unknown.length > 0) throw new Error(`no test of pages is named ${unknown.join(', ')}; there are ${all.join(', ')}`)

// In the folder of the sources, so that what stays outside of the bundle is found.
const out = mkdtempSync(join(root, 'node_modules', '.pages-'))
const stop = () => rmSync(out, { recursive: true, force: true })
process.on('exit', stop)
await build({
  entryPoints: [join(here, 'visit.ts'), ...all.map((name) => join(here, folder, `${name}.ts`))],
  outdir: out,
  outbase: here,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node18',
  logLevel: 'warning',
  sourcemap: 'inline',
  external: ['playwright-core', 'axe-core'],
})
const load = (name) => import(pathToFileURL(join(out, name)).href)
const { run } = await load('visit.mjs')
const tests = []
for (const name of wanted.length > 0 ? wanted : all) tests.push({ name, ...(await load(`${folder}/${name}.mjs`)) })
process.exitCode = await run(tests, process.env.MUSTER_OUT ?? join(tmpdir(), 'muster-pages'))
