import assert from 'node:assert/strict'
import test from 'node:test'
import { barsOf, letterOf, levelOf } from './levels'
import { around, linesOf, merged, moved, nanosOf, sourceOf } from './lines'

test('levels are a few words, and are counted a bar a step, the worst first', () => {
  assert.deepEqual(['FATAL', 'err', 'Warning', 'notice', 'trace', undefined].map(levelOf), ['critical', 'error', 'warn', 'info', 'debug', 'other'])
  const bars = barsOf({ data: { result: [{ metric: { level: 'info' }, values: [[10, '5'], [30, '1']] }, { metric: { level: 'error' }, values: [[20, '2']] }] } }, { from: 0, to: 30_000 }, 10_000)
  assert.deepEqual(bars.map(({ name, counts }) => [name, counts]), [['error', [0, 2, 0]], ['info', [5, 0, 1]]])
  assert.deepEqual(['other', 'warn'].map(letterOf), ['-', 'W'])
})

test('the source of a line is its host and what it was read from, never the events of its host', () => {
  assert.equal(sourceOf({ host: 'w', filename: '/a "b"', level: 'x', env: 'prod' }), '{host="w", filename="/a \\"b\\"", source!="muster"}')
  assert.equal(sourceOf({ host: 'w', source: 'muster' }), '{host="w", source="muster"}')
  assert.equal(sourceOf({ b: '2', a: '1' }), '{a="1", b="2", source!="muster"}')
})

test('lines around a moment stand once, the oldest first, and a moment is exact to the nanosecond', () => {
  const of = (...values: [string, string][]) => linesOf([{ stream: { host: 'a' }, values }])
  const before = of(['1000000000000000002', 'b'], ['1000000000000000001', 'a'])
  const both = around(before, of(['1000000000000000002', 'b'], ['1000000000000000003', 'c'], ['1000000000000000003', 'd']))
  assert.deepEqual(both.map(({ text }) => text), ['a', 'b', 'c', 'd'])
  assert.equal(nanosOf(both[0]?.id ?? ''), '1000000000000000001')
  assert.deepEqual(['', 'x.y', '12.a', '1795974466799847600'].map(nanosOf), [null, null, null, null])
  assert.equal(moved('1000000000000000001', -1), '999999999999000001')
  assert.equal(moved('5', -1), '0')
  assert.deepEqual(merged(before, []).map(({ text }) => text), ['b', 'a'])
})
