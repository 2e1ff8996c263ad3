import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditRow } from '../../api/types'
import { names, readTrail, shownRows, verdict, wrongHash } from './rows'

const row = (seq: number, more: Partial<AuditRow>): AuditRow => ({ seq, ms: 0, by: 'user:ann', source: '', action: 'user_made', object: 'bob', text: 'made user `bob`', result: 'done', prev: '', hash: '', ...more })

test('every word stands in a row, and refused ones are found', () => {
  const rows = [row(2, { result: 'refused', by: 'token:a' }), row(1, {})]
  assert.deepEqual(shownRows(rows, 'USER made', '').map((one) => one.seq), [2, 1])
  assert.deepEqual(shownRows(rows, 'bob ann', '').map((one) => one.seq), [1])
  assert.deepEqual(shownRows(rows, '', 'refused').map((one) => one.seq), [2])
  assert.deepEqual(names(rows), ['token:a', 'user:ann'])
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
