import assert from 'node:assert/strict'
import test from 'node:test'
import { offersFor } from './complete'
import { linesOf, merged } from '../../lines/lines'
import { heightOf, rowsOf } from './heights'
import { commandOf, EVERY, isWhole, narrowed, queryOf, shellWord } from './query'
import { read, START, step, TAIL_MAX } from './tail'

test('words become a query of every host, LogQL stays', () => {
  assert.equal(queryOf(' '), EVERY)
  assert.equal(queryOf('order "no stock"'), `${EVERY} |= "order" |= "no stock"`)
  assert.equal(queryOf('a"b'), `${EVERY} |= "a\\"b"`)
  assert.equal(queryOf('<img src=x>'), `${EVERY} |= "<img" |= "src=x>"`)
  assert.equal(queryOf('|= "x"'), `${EVERY} |= "x"`)
  assert.equal(queryOf('{app="shop"} |= "x"'), '{app="shop"} |= "x"')
  assert.equal(queryOf('sum by (level) (rate({app="shop"}[1m]))'), 'sum by (level) (rate({app="shop"}[1m]))')
})

test('a query is asked before Enter only when it is whole', () => {
  for (const text of ['', 'order', '{app="sh}op"}', '{a="x"} |= "}"']) assert.ok(isWhole(text), text)
  for (const text of ['{app="shop', '{app="shop"', '{a="x"} |=', '{a="x"} |= "or', '{a="x"} |']) assert.ok(!isWhole(text), text)
})

test('a click narrows the selector or adds a step', () => {
  assert.equal(narrowed('', 'app', 'shop', 'stream'), '{app="shop"}')
  assert.equal(narrowed('paid', 'host', 'a"b', 'stream'), '{host="a\\"b"} |= "paid"')
  assert.equal(narrowed('', 'app', 'shop', 'stream', true), '{host=~".+", app!="shop"}')
  assert.equal(narrowed('{a="}"} |= "x"', 'b', 'y', 'stream'), '{a="}", b="y"} |= "x"')
  assert.equal(narrowed('{a="x"}', 'level', 'error', 'field'), '{a="x"} | level="error"')
})

test('the command is one that a shell reads as it is meant', () => {
  assert.equal(shellWord("it's $(x)"), `'it'\\''s $(x)'`)
  assert.equal(commandOf('{a="x"}', { kind: 'last', text: '1h', ms: 3_600_000 }, 500, false), `muster logs '{a="x"}' --since 1h --limit 500`)
  assert.equal(commandOf('{a="x"}', { kind: 'span', from: 0, to: 61_000 }, 500, false), `muster logs '{a="x"}' --since 61s --until 1970-01-01T00:01:01.000Z --limit 500`)
})

const stream = (...values: [string, string, object?][]) => ({ stream: { host: 'a' }, values })

test('lines stand once, the newest first, to the nanosecond', () => {
  const lines = linesOf([stream(['1700000000000000001', 'a'], ['1700000000000000002', 'b'], ['1700000000000000002', 'b'])])
  assert.deepEqual(merged(lines, lines).map(({ text }) => text), ['b', 'a'])
  assert.equal(linesOf([stream(['1700000000000000001', 'a', { structuredMetadata: { level: 'ERROR' } }])])[0]?.level, 'error')
  // The same line has the same name, categorized or not.
  const [one, other] = [linesOf([stream(['1', 'a', { structuredMetadata: { level: 'info' } }])]), linesOf([{ stream: { host: 'a', level: 'info' }, values: [['1', 'a']] }])]
  assert.equal(one[0]?.id, other[0]?.id)
})

test('a height is known before a line is drawn', () => {
  assert.equal(rowsOf('x'.repeat(101), 50), 3)
  assert.equal(rowsOf('a\n\nb', 50), 3)
  const [line] = linesOf([stream(['1', 'x'.repeat(100)])])
  assert.ok(line)
  assert.equal(heightOf(line, 50, false, false), 24)
  assert.equal(heightOf(line, 50, true, false), 42)
  assert.ok(heightOf(line, 50, false, true) > 42)
})

test('a tail keeps the newest, holds still while paused, and says why it ended', () => {
  const many = Array.from({ length: TAIL_MAX + 10 }, (_, at): [string, string] => [String(1_700_000_000_000_000_000n + BigInt(at)), `line ${at}`])
  let tail = step(START, { kind: 'lines', streams: [stream(...many)] })
  assert.equal(tail.lines.length, TAIL_MAX)
  assert.equal(tail.lines[0]?.text, `line ${TAIL_MAX + 9}`)
  // What it let go of is counted, and that it broke off.
  assert.deepEqual([tail.left, tail.breaks], [10, 0])
  assert.equal(step(step(tail, { kind: 'failed' }), { kind: 'opened' }).breaks, 1)
  tail = step(tail, { kind: 'pause' })
  tail = step(tail, { kind: 'lines', streams: [stream(['1800000000000000000', 'new'])] })
  assert.equal(tail.waiting, 1)
  assert.equal(tail.held?.[0]?.text, `line ${TAIL_MAX + 9}`)
  tail = step(step(tail, { kind: 'go' }), { kind: 'bye', why: 'too many' })
  assert.equal(tail.lines[0]?.text, 'new')
  assert.equal(step(tail, { kind: 'closed' }).why, 'too many')
  assert.deepEqual(read('dropped', '{"version":1,"at_ns":"1","count":7}'), { kind: 'dropped', count: 7 })
  assert.equal(read('lines', '{'), null)
})

test('labels, then values, then steps are offered', async () => {
  const known = { names: async () => ['app', 'host'], values: async (name: string) => [`${name}"1`] }
  const texts = async (text: string, word: string) => (await offersFor(text, word, known)).map((offer) => offer.text)
  assert.deepEqual(await texts('', ''), ['{app=', '{host='])
  assert.deepEqual(await texts('{app=', '{app='), ['{app="app\\"1"'])
  assert.deepEqual(await texts('{app="x",ho', '{app="x",ho'), ['{app="x",app=', '{app="x",host='])
  assert.deepEqual(await texts('{app="x", host=', 'host='), ['host="host\\"1"'])
  assert.equal((await texts('{app="x"} ', ''))[0], '|= "')
  assert.deepEqual(await texts('order', 'order'), [])
})
