import assert from 'node:assert/strict'
import test from 'node:test'
import { drawn } from './expression'

test('a comparison with a number is drawn without it, anything else as it is', () => {
  assert.deepEqual(drawn('node_load1 > 0.01'), { query: 'node_load1', limit: 0.01, isAbove: true, isBelow: false })
  assert.deepEqual(drawn('sum by (a) (x{b=">1"}) <= -1e3'), { query: 'sum by (a) (x{b=">1"})', limit: -1000, isAbove: false, isBelow: true })
  for (const whole of ['a > b', 'a and b > 5', 'a > bool 5', 'a > 1 < 5', 'up', 'x{a="b > 5"}']) assert.deepEqual(drawn(whole), { query: whole, limit: null, isAbove: false, isBelow: false }, whole)
})
