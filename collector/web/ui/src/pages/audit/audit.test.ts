import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditRow } from '../../api/types'
import { commandOf, momentOf, readTrail, shownRows, valuesOf, verdict, wrongHash, type Wanted } from './rows'

const row = (seq: number, more: Partial<AuditRow>): AuditRow => ({ seq, ms: 0, by: 'user:ann', source: '', action: 'user_made', object: 'bob', text: 'made user `bob`', result: 'done', prev: '', hash: '', ...more })

const wanted = (more: Partial<Wanted>): Wanted => ({ text: '', who: '', action: '', object: '', result: '', since: '', until: '', ...more })

test('rows are found by words, who, action, object, result and time', () => {
  const rows = [row(3, { ms: 5000, action: 'host_retired', object: 'web-1' }), row(2, { ms: 3000, result: 'refused', by: 'token:a' }), row(1, { ms: 1000 })]
  const found = (more: Partial<Wanted>): number[] => shownRows(rows, wanted(more), 6000).map((one) => one.seq)
  assert.deepEqual(found({ text: 'USER made token:A' }), [2])
  assert.deepEqual(found({ text: 'retired ann' }), [3])
  assert.deepEqual(found({ result: 'refused' }), [2])
  assert.deepEqual(found({ who: 'user:ann' }), [3, 1])
  assert.deepEqual(found({ action: 'host_retired' }), [3])
  assert.deepEqual(found({ object: 'web' }), [], 'an object is the whole one')
  assert.deepEqual(found({ since: '3s' }), [3, 2])
  assert.deepEqual(found({ until: '1970-01-01T00:00:03Z' }), [2, 1])
  assert.deepEqual(found({ since: 'soon' }), [3, 2, 1])
  assert.deepEqual(valuesOf(rows, 'by', 'unix:0'), ['token:a', 'unix:0', 'user:ann'])
})

test('times are durations back, times, or milliseconds', () => {
  assert.equal(momentOf('1m', 100_000), 40_000)
  assert.equal(momentOf('1970-01-01T00:00:01Z', 0), 1000)
  assert.equal(momentOf('1700000000000', 0), 1_700_000_000_000)
  for (const bad of ['', 'soon', 'constructor']) assert.equal(momentOf(bad, 0), null, bad)
})

test('what is shown is a command', () => {
  assert.equal(commandOf(wanted({}), 100), 'muster audit list --limit 100')
  assert.equal(commandOf(wanted({ since: '7d', who: 'user:ann', object: "o'brien" }), 100), "muster audit list --since 7d --by user:ann --object 'o'\\''brien'")
})

test('what came of walking the chain is one sentence', () => {
  assert.match(verdict({ ok: true, rows: 1200, first_seq: 1, head_seq: 1200 }, '').text, /1,200 rows, from 1 to 1200/)
  assert.match(verdict({ ok: true, rows: 3, first_seq: 1, head_seq: 3, noted_seq: 2 }, 'ab').text, /Row 2 has the noted/)
  assert.equal(verdict({ ok: false, broken_seq: 7, why: 'its hash differs' }, '').text, 'Row 7 is not as it must be. its hash differs')
  assert.match(verdict({ ok: false, broken_seq: null }, 'ab').text, /No row has/)
})

test('hashes and trails are read, and nothing else', () => {
  assert.equal(wrongHash('a'.repeat(64)), null)
  assert.ok(wrongHash('a'))
  assert.deepEqual(readTrail('90,x,60,-1,1.5'), [90, 60])
  assert.deepEqual(readTrail(''), [])
})
