import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cells, Change, TableShape } from '../api/inventory'
import { tellsChange } from '../api/inventory'
import { betweenOf, cellText, columnWidth, differences, keyText, lookOfKind, momentOf, wordsOf } from './words'

const UNITS: TableShape = {
  table: 'units',
  one: 'unit',
  keys: 1,
  columns: [{ name: 'name', kind: 'text' }, { name: 'active_state', kind: 'text' }, { name: 'size_bytes', kind: 'integer' }, { name: 'since', kind: 'time' }],
}
const change = (before: Cells | null, after: Cells | null, more: Partial<Change> = {}): Change => ({
  host: 'web-1', host_id: '1', table: 'units', kind: 'changed', words: 'unit a.service: ', after_ms: 0, until_ms: 60_000, arrived_ms: 60_000, key: ['a.service'], before, after, is_news: false, ...more,
})

test('values are shown by what their column holds', () => {
  const [name, , size, since] = UNITS.columns
  assert.deepEqual([cellText(null, name, true), cellText('', name, true), cellText('x', since, true)], ['', '', 'x'])
  assert.deepEqual([cellText(2048, size, true), cellText(0, since, true), cellText(22, name, true)], ['2 KiB', '1970-01-01 00:00:00 UTC', '22'])
  assert.equal(cellText(7, undefined, true), '7', 'a column of a newer collector')
})

test('what differs is told by column, also of columns that nothing is known of', () => {
  assert.deepEqual(differences(['a', 'active', 1], ['a', 'failed', 1, 60], UNITS, true), [
    { name: 'active_state', before: 'active', after: 'failed' },
    { name: 'since', before: 'none', after: '1970-01-01 00:01:00 UTC' },
  ])
  assert.deepEqual(differences(null, ['a', ''], UNITS, true), [{ name: 'name', before: '', after: 'a' }, { name: 'active_state', before: '', after: 'empty' }])
  assert.deepEqual(differences(['x'], ['y'], undefined, true), [{ name: 'column 1', before: 'x', after: 'y' }])
  assert.deepEqual(differences(['x', null], ['x'], UNITS, true), [])
})

test('the words of a change are the collector\'s, and what it leaves out is added', () => {
  assert.equal(wordsOf(change(['a.service', 'active'], ['a.service', 'failed']), UNITS, true), 'unit a.service: active_state active -> failed')
  assert.equal(wordsOf(change(['a'], ['b'], { is_news: true, words: 'unit a is b' }), UNITS, true), 'unit a is b')
  assert.equal(wordsOf(change(null, ['a'], { words: 'unit a is new' }), UNITS, true), 'unit a is new')
})

test('kinds, keys and moments of others are taken as they are', () => {
  assert.equal(lookOfKind('added').shape, 'plus')
  for (const kind of ['', 'constructor', '__proto__']) assert.equal(lookOfKind(kind).shape, 'question', kind)
  assert.equal(keyText(['tcp', '::', 22], UNITS), 'tcp :: 22')
  assert.equal(keyText([null, ''], UNITS), '- -')
  assert.equal(keyText([], { one: 'kernel' }), 'kernel')
  assert.equal(momentOf('1700000000000'), 1_700_000_000_000)
  for (const bad of ['', '-1', '1e3', 'soon', '99999999999999999999']) assert.equal(momentOf(bad), null, bad)
  assert.equal(betweenOf(0, 60_000, true), 'between 1970-01-01 00:00:00 UTC and 1970-01-01 00:01:00 UTC')
  assert.match(betweenOf(null, 0, true), /^so at the first look, 1970/)
})

test('a column is as wide as its texts, within bounds', () => {
  assert.equal(columnWidth('n', ['1', '2']), 72)
  assert.ok(columnWidth('n', ['2026-11-29 13:05:40']) > columnWidth('active_state', ['active']))
  assert.equal(columnWidth('n', ['x'.repeat(5000)]), 340)
  assert.equal(columnWidth('x'.repeat(20), []), 176)
})

test('only events of changes mean that the feed asks again', () => {
  assert.ok(tellsChange([{ kind: 'host_silent' }, { kind: 'inventory_change' }]))
  assert.ok(!tellsChange([{ kind: 'host_silent' }, null, 'inventory_change']))
})
