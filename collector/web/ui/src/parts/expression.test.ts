import assert from 'node:assert/strict'
import test from 'node:test'
import { conditionsOf, drawn, sidesOf } from './expression'

test('a comparison with a number is drawn without it, anything else as it is', () => {
  assert.deepEqual(drawn('node_load1 > 0.01'), { query: 'node_load1', limit: 0.01, isAbove: true, isBelow: false })
  assert.deepEqual(drawn('sum by (a) (x{b=">1"}) <= -1e3'), { query: 'sum by (a) (x{b=">1"})', limit: -1000, isAbove: false, isBelow: true })
  for (const whole of ['a > b', 'a and b > 5', 'a > bool 5', 'a > 1 < 5', 'up', 'x{a="b > 5"}']) assert.deepEqual(drawn(whole), { query: whole, limit: null, isAbove: false, isBelow: false }, whole)
})

test('conditions that are joined are told apart, each with its sides', () => {
  const all = conditionsOf('predict_linear(a{b!~"x and y"}[6h], 86400) < 0 and on (host, device) (a / b < 0.25) unless ignoring (c) (d) or e')
  assert.deepEqual(all, [
    { word: '', query: 'predict_linear(a{b!~"x and y"}[6h], 86400) < 0' },
    { word: 'and', query: 'a / b < 0.25' },
    { word: 'unless', query: 'd' },
    { word: 'or', query: 'e' },
  ])
  assert.deepEqual(conditionsOf('(a) + (b) > 1'), [{ word: '', query: '(a) + (b) > 1' }])
  assert.deepEqual(conditionsOf('((a) + (b))'), [{ word: '', query: '(a) + (b)' }])
  assert.deepEqual(sidesOf('a{x="<"} < 2 * b'), { left: 'a{x="<"}', sign: '<', right: '2 * b' })
  assert.equal(sidesOf('a < on (x) b'), null)
})
