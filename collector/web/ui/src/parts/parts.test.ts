import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apply, fitting, stepped, wordAt } from './complete'
import { LOOKS, lookOf, ofSeverity } from './states'
import { decode, inWords, runs } from './pieces'
import { inSight, moved, reveal, uniform, varied } from './virtual'

test('of 5,000 rows those in sight are drawn', () => {
  const rows = uniform(5000, 40)
  assert.equal(rows.total, 200_000)
  assert.deepEqual(inSight(rows, 0, 400, 5), { first: 0, end: 16 })
  assert.deepEqual(inSight(rows, 100_000, 400, 5), { first: 2495, end: 2516 })
  assert.deepEqual(inSight(rows, 199_600, 400, 5), { first: 4985, end: 5000 })
  // Scrolled beyond the end, as browsers do for a moment.
  assert.equal(inSight(rows, 999_999, 400, 5).end, 5000)
  assert.deepEqual(inSight(uniform(0, 40), 0, 400), { first: 0, end: 0 })
})

test('rows of several heights lie where rows of one height would', () => {
  const heights = Array.from({ length: 200 }, (_, at) => (at % 7 === 0 ? 34 : 60))
  const rows = varied(heights)
  assert.equal(rows.total, heights.reduce((sum, height) => sum + height, 0))
  for (let at = 0; at < heights.length; at += 1) {
    assert.equal(rows.rowAt(rows.top(at)), at)
    assert.equal(rows.rowAt(rows.top(at) + rows.height(at) - 1), at)
  }
  assert.equal(rows.rowAt(-5), 0)
  assert.equal(rows.rowAt(1e9), 199)
  const same = varied(Array.from({ length: 50 }, () => 40))
  for (const y of [0, 39, 40, 777, 1999]) assert.equal(same.rowAt(y), uniform(50, 40).rowAt(y), String(y))
})

test('a row that is moved to comes whole into sight, and no further', () => {
  const rows = uniform(100, 40)
  assert.equal(reveal(rows, 0, 400, 200), 0)
  assert.equal(reveal(rows, 12, 400, 200), 400)
  assert.equal(reveal(rows, 15, 400, 200), 440)
  assert.equal(reveal(rows, 99, 0, 200), 3800)
})

test('keys move within the list', () => {
  const rows = uniform(100, 40)
  const keys: [string, number, number | null][] = [
    ['j', 5, 6],
    ['ArrowUp', 5, 4],
    ['k', 0, 0],
    ['k', -1, 0],
    ['j', -1, 0],
    ['j', 99, 99],
    ['PageDown', 0, 10],
    ['PageUp', 3, 0],
    ['Home', 50, 0],
    ['End', 50, 99],
    ['q', 50, null],
  ]
  for (const [key, at, expect] of keys) assert.equal(moved(rows, at, key, 400), expect, key)
  assert.equal(moved(uniform(0, 40), -1, 'j', 400), null)
})

test('a strip is read by its letters, and what is not known is no data', () => {
  assert.deepEqual(decode('.w-?').map((piece) => piece.word), ['no problem', 'warning', 'no data', 'no data'])
  assert.deepEqual(runs(decode('...cc-')).map((run) => [run.piece.word, run.from, run.count]), [['no problem', 0, 3], ['critical', 3, 2], ['no data', 5, 1]])
  assert.equal(inWords('.'.repeat(48)), 'no problem all the time')
  assert.equal(inWords('.'.repeat(45) + 'ccc'), 'no problem 94 %, critical 6 %')
  assert.equal(inWords(''), 'nothing known')
})

test('no two states of one family look the same without their colour', () => {
  const families = [['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'], ['up', 'silent', 'unreachable', 'rebooting', 'agent_stopped'], ['pending', 'firing', 'resolved'], ['gone', 'proposed', 'accepted', 'ignored', 'archived'], ['running', 'stopped', 'done', 'superseded', 'reverted'], ['none', 'in_force', 'trial', 'refused', 'reverted', 'disabled']] as const
  for (const family of families) {
    assert.equal(new Set(family.map((state) => LOOKS[state].shape)).size, family.length)
    assert.equal(new Set(family.map((state) => LOOKS[state].word)).size, family.length)
  }
  assert.equal(lookOf('toString').word, 'toString')
  assert.equal(lookOf(null).word, 'Not known')
  assert.deepEqual(['critical', 'page', 'info', undefined].map(ofSeverity), ['CRITICAL', 'CRITICAL', 'WARNING', 'UNKNOWN'])
})

test('completion goes on from the word at the caret', () => {
  assert.deepEqual(wordAt('env=prod ho', 11), { word: 'ho', start: 9 })
  assert.deepEqual(wordAt('env=prod ho', 3), { word: 'env', start: 0 })
  assert.deepEqual(apply('a ho b', 4, { text: 'host=' }), { text: 'a host= b', caret: 7 })
  const offers = ['host=', 'check=', 'ghost='].map((text) => ({ text }))
  assert.deepEqual(fitting(offers, 'ho').map((offer) => offer.text), ['host=', 'ghost='])
  assert.deepEqual(fitting(offers, 'host='), [{ text: 'ghost=' }])
})

test('the arrow keys go round in what is offered', () => {
  const all = [['ArrowDown', -1], ['ArrowDown', 2], ['ArrowUp', -1], ['ArrowUp', 1], ['Enter', 1]] as const
  assert.deepEqual(all.map(([key, at]) => stepped(key, at, 3)), [0, 0, 2, 0, null])
  assert.equal(stepped('ArrowDown', -1, 0), null)
})
