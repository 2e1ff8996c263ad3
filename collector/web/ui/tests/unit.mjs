// Compiles every src/**/*.test.ts and runs it by Node's own test runner: `npm test`.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

function tests(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) return tests(path)
    return name.endsWith('.test.ts') ? [path] : []
  })
}

const found = [...tests(join(root, 'src')), ...tests(join(root, 'build'))]
if (found.length === 0) throw new Error('no *.test.ts found')
const out = mkdtempSync(join(tmpdir(), 'muster-ui-'))
try {
  const outputs = found.map((path) => join(out, relative(root, path).replaceAll('/', '.').replace(/ts$/, 'mjs')))
  await Promise.all(
    found.map((entry, number) =>
      build({
        entryPoints: [entry],
        outfile: outputs[number],
        bundle: true,
        platform: 'node',
        format: 'esm',
        target: 'node18',
        logLevel: 'warning',
        sourcemap: 'inline',
        external: ['vite'],
      }),
    ),
  )
  const run = spawnSync(process.execPath, ['--enable-source-maps', '--test', ...outputs], { stdio: 'inherit' })
  process.exitCode = run.status ?? 1
} finally {
  rmSync(out, { recursive: true, force: true })
}
