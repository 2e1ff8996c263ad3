import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cells, ComparedTable, TableRows } from '../../api/inventory'
import { comparison, differingRows, fittingRows, haveRows } from './had'
import { marksOf } from './happened'

const SHAPE = { table: 'packages', one: 'package', keys: 2, columns: [{ name: 'manager', kind: 'text' }, { name: 'name', kind: 'text' }, { name: 'version', kind: 'text' }, { name: 'size_bytes', kind: 'integer' }] } as const
const bash: Cells = ['dpkg', 'bash', '5.2', 2048]
const openssl: Cells = ['dpkg', 'openssl', '3.0.2', null]

test('each row has its key and since when it is so', () => {
  const answer: TableRows = { ...SHAPE, host: 'web-1', at_ms: null, rows: [bash, openssl], since: [{ after_ms: 1, until_ms: 2 }, null] }
  assert.deepEqual(haveRows(answer), [{ key: '["dpkg","bash"]', cells: bash, since: { after_ms: 1, until_ms: 2 } }, { key: '["dpkg","openssl"]', cells: openssl, since: null }])
  const { since: _, ...then } = answer
  assert.deepEqual(haveRows(then).map(({ since }) => since), [null, null], 'of a moment it is not told')
  const found = (text: string): Cells[] => fittingRows(haveRows(answer), answer.columns, text, true).map(({ cells }) => cells)
  assert.deepEqual(found('DPKG bas'), [bash])
  assert.deepEqual(found('2 kib'), [bash], 'as it is shown')
  assert.deepEqual(found('nothing of it'), [])
  assert.equal(found(' ').length, 2)
})

test('what differs is told by key and column', () => {
  const table: ComparedTable = {
    ...SHAPE,
    known: true,
    rows: [
      { key: ['dpkg', 'bash'], one: bash, other: null },
      { key: ['dpkg', 'curl'], one: null, other: ['dpkg', 'curl', '8', null] },
      { key: ['dpkg', 'openssl'], one: openssl, other: ['dpkg', 'openssl', '3.0.11', null] },
    ],
  }
  assert.deepEqual(differingRows(table, '', true).map(({ kind, thing, what }) => `${kind} ${thing}: ${what}`), [
    'removed dpkg bash: version 5.2, size_bytes 2 KiB',
    'added dpkg curl: version 8',
    'changed dpkg openssl: version 3.0.2 -> 3.0.11',
  ])
  assert.deepEqual(differingRows(table, 'CURL', true).map(({ thing }) => thing), ['dpkg curl'])
  const kernel: ComparedTable = { table: 'kernel', one: 'kernel', keys: 0, columns: [{ name: 'release', kind: 'text' }], known: true, rows: [{ key: [], one: ['6.1'], other: ['6.2'] }] }
  assert.deepEqual(differingRows(kernel, '', true).map(({ thing, what }) => `${thing}: ${what}`), ['kernel: release 6.1 -> 6.2'])
})

test('a host is compared with another one, or with itself at another moment', () => {
  assert.equal(comparison('a', null, '', null, ''), null)
  assert.equal(comparison('a', 5, 'a', 5, ''), null)
  assert.equal(comparison('a', 5, '', null, ''), null, 'a moment is looked at, not compared with now')
  assert.deepEqual(comparison('a', null, 'b', null, 'users'), { one: 'a', one_at: null, other: 'b', other_at: null, table: 'users' })
  assert.deepEqual(comparison('a', null, '', 7, ''), { one: 'a', one_at: null, other: 'a', other_at: 7, table: null })
})

test('a change is marked on plots with its own words', () => {
  const text = 'host `web-1` has changed: package openssl 3.0.2 -> 3.0.11'
  const marks = marksOf([{ id: '1', ms: 5, what: 'change', kind: 'inventory_change', text, labels: { host: 'web-1' } }], { from: 0, to: 10 })
  assert.deepEqual(marks, [{ at: 5, text: 'changed: package openssl 3.0.2 -> 3.0.11', colour: 'accent', host: 'web-1' }])
})
