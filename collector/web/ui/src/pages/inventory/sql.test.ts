import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TableShape } from '../../api/inventory'
import { columnsOf, command, completeSql, EXAMPLES, resultColumns, sortKey, timeNames } from './sql'

const SHAPES: readonly TableShape[] = [
  { table: 'packages', one: 'package', keys: 2, columns: [{ name: 'manager', kind: 'text' }, { name: 'name', kind: 'text' }, { name: 'version', kind: 'text' }] },
  { table: 'kernel', one: 'kernel', keys: 0, columns: [{ name: 'release', kind: 'text' }, { name: 'boot_time', kind: 'time' }, { name: 'created', kind: 'time' }] },
  { table: 'containers', one: 'container', keys: 1, columns: [{ name: 'id', kind: 'text' }, { name: 'created', kind: 'text' }] },
  { table: 'hosts', one: 'host', keys: 1, columns: [{ name: 'host', kind: 'text' }, { name: 'labels', kind: 'text' }] },
]
const offered = (text: string): string[] => completeSql(text, text.length, SHAPES)?.offers.map((offer) => offer.text) ?? []

test('every example is one question, and about tables with a host each', () => {
  assert.equal(new Set(EXAMPLES.map(({ title }) => title)).size, EXAMPLES.length)
  for (const { sql } of EXAMPLES) assert.match(sql, /^SELECT [^;]+$/)
  assert.deepEqual(columnsOf(SHAPES[0] ?? assert.fail()).map(({ name }) => name), ['host', 'manager', 'name', 'version'])
  assert.deepEqual(columnsOf(SHAPES[3] ?? assert.fail()).map(({ name }) => name), ['host', 'labels'])
})

test('what is being written is completed by tables, columns and words', () => {
  assert.ok(offered('SELECT * FROM pa').includes('packages_counted'))
  assert.ok(!offered('SELECT * FROM ke').includes('kernel_counted'), 'a table of one row a host has none')
  assert.ok(offered('SELECT ver FROM packages WHERE ver').includes('version'))
  assert.ok(!offered('SELECT ver').includes('version'), 'no table is named yet')
  assert.equal(completeSql('SELECT ver', 10, SHAPES)?.from, 7)
  assert.deepEqual(offered('SELECT 1 FROM packages p WHERE p.'), ['host', 'manager', 'name', 'version'])
  assert.deepEqual(offered('SELECT 1 FROM packages AS p WHERE P.na').slice(0, 1), ['host'])
  assert.deepEqual(offered('SELECT packages_counted.'), ['hosts', 'manager', 'name', 'version'])
  for (const nothing of ['', 'SELECT ', "SELECT 'pa", 'SELECT x.', 'SELECT 1 -- pa', 'SELECT "pa']) assert.deepEqual(offered(nothing), [], nothing)
})

test('an answer is a table: numbers to the right, times as times, names that come twice apart', () => {
  const times = timeNames(SHAPES)
  assert.deepEqual([...times], ['boot_time'], 'created is a text in another table')
  const answer = { columns: ['name', 'name', 'boot_time', 'count(*)', 'size_bytes'], rows: [['a', null, 60, 3, 2048], ['b', 'x', null, null, null]], cut: false, at_ms: null }
  const columns = resultColumns(answer, times, true)
  assert.deepEqual(columns.map(({ place, isNumber }) => `${place} ${isNumber}`), ['0 false', '1 false', '2 false', '3 true', '4 true'])
  assert.deepEqual(columns.map(({ text }, at) => text(answer.rows[0]?.[at])), ['a', '', '1970-01-01 00:01:00 UTC', '3', '2 KiB'])
  assert.deepEqual([sortKey(['a', null], 1), sortKey(['a', null], 0), sortKey([], 9)], ['', 'a', ''])
  assert.equal(resultColumns({ ...answer, rows: [] }, times, true)[3]?.isNumber, false)
})

test('a question is a command, whatever stands in it', () => {
  assert.equal(command("SELECT 'it''s'", null), "muster inventory query 'SELECT '\\''it'\\'''\\''s'\\'''")
  assert.equal(command('SELECT 1', 0), "muster inventory query --at 1970-01-01T00:00:00Z 'SELECT 1'")
})
