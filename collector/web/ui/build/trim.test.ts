import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { trimmed } from './trim'

const text = readFileSync('node_modules/uplot/dist/uPlot.esm.js', 'utf8')

test('what is unused is left out of uPlot, once', () => {
  const left = trimmed(text)
  assert.ok(left.length < text.length)
  assert.ok(!/uPlot\.join|paths\.bars|_timeAxisVals|\bsc\.distr\b/.test(left))
  // Who trims it again, or another version, is told what is not there.
  assert.throws(() => trimmed(left), /0 times: look at what its version changed/)
})

test('what pages use is there', () => {
  const left = trimmed(text)
  for (const used of ['uPlot.tzDate', 'uPlot.sync = _sync', 'paths.linear  = linear', 'self.setSelect = setSelect', 'self.valToPos', 'self.posToVal']) assert.ok(left.includes(used), used)
})
