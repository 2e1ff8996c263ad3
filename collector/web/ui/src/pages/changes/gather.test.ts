import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Change, TableShape } from '../../api/inventory'
import { gathered, hostsOf, itemsOf, readTrail, timesOf, TOGETHER_MS, type Item } from './gather'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const PACKAGES: TableShape = { table: 'packages', one: 'package', keys: 2, columns: [{ name: 'manager', kind: 'text' }, { name: 'name', kind: 'text' }, { name: 'version', kind: 'text' }] }

const change = (host: string, until: number, version = '2', more: Partial<Change> = {}): Change => ({
  host, host_id: `id-${host}`, table: 'packages', kind: 'changed', words: `package openssl 1 -> ${version}`, after_ms: until - 60_000, until_ms: until, arrived_ms: until,
  key: ['dpkg', 'openssl'], before: ['dpkg', 'openssl', '1'], after: ['dpkg', 'openssl', version], is_news: true, ...more,
})
const hosts = (changes: readonly Change[]): string[][] => gathered(changes).map(({ all }) => all.map(({ host }) => host))

test('the same change on many hosts within an hour is one line', () => {
  const noon = 10 * DAY + 12 * HOUR
  assert.deepEqual(hosts([change('a', noon), change('b', noon - HOUR), change('c', noon - HOUR - 1)]), [['a', 'b'], ['c']])
  assert.deepEqual(hosts([change('a', noon), change('b', noon - 1, '3'), change('c', noon - 2)]), [['a', 'c'], ['b']], 'another change is another line')
  assert.deepEqual(hosts([change('a', noon), change('b', noon, '2', { kind: 'added' }), change('c', noon, '2', { table: 'units' }), change('d', noon, '2', { key: ['rpm', 'openssl'] })]), [['a'], ['b'], ['c'], ['d']])
  assert.equal(TOGETHER_MS, HOUR)
})

test('again on the same host it is another line', () => {
  const at = 5 * DAY
  assert.deepEqual(hosts([change('a', at), change('b', at - 1), change('a', at - 2), change('b', at - 3)]), [['a', 'b'], ['a', 'b']])
  const two = gathered([change('a', at), change('a', at - 1)])
  assert.equal(two[0]?.id, two[1]?.id, 'what is unfolded is the change')
  assert.notEqual(two[0]?.key, two[1]?.key)
})

test('a thousand hosts are one line, and names of others are names', () => {
  const many = Array.from({ length: 1000 }, (_, at) => change(`h${at}`, DAY - at))
  assert.equal(gathered(many).length, 1)
  assert.deepEqual(hosts([change('__proto__', 2), change('constructor', 1)]), [['__proto__', 'constructor']])
  assert.deepEqual(gathered([]), [])
})

const said = (items: readonly Item[]): string[] =>
  items.map((item) => (item.kind === 'day' ? `${item.day} ${item.count}` : item.kind === 'line' ? `${item.change.words} x${item.line.all.length}` : item.kind === 'value' ? `${item.difference.name}: ${item.difference.before} -> ${item.difference.after}` : item.change.host))

test('lines stand under their day, and an unfolded one tells columns and hosts', () => {
  const lines = gathered([change('a', 2 * DAY + 1), change('b', 2 * DAY - 1), change('c', DAY, '3')])
  const shapes = new Map([['packages', PACKAGES]])
  assert.deepEqual(said(itemsOf(lines, new Set(), shapes, true)), ['1970-01-03 2', 'package openssl 1 -> 2 x2', '1970-01-02 1', 'package openssl 1 -> 3 x1'])
  const opened = itemsOf(lines, new Set([lines[0]?.id ?? '']), shapes, true)
  assert.deepEqual(said(opened), ['1970-01-03 2', 'package openssl 1 -> 2 x2', 'version: 1 -> 2', 'a', 'b', '1970-01-02 1', 'package openssl 1 -> 3 x1'])
  assert.equal(new Set(opened.map(({ key }) => key)).size, opened.length, 'each has a key of its own')
  assert.deepEqual(said(itemsOf(lines, new Set(['constructor']), new Map(), true)).length, 4)
})

test('times are read from the URL, and what is none is said', () => {
  const read = (text: string) => timesOf(new URLSearchParams(text), 10 * HOUR + 30_500)
  assert.deepEqual(read(''), { from: null, to: null, wrong: null })
  assert.deepEqual(read('since='), { from: null, to: null, wrong: null })
  assert.deepEqual(read('since=1h'), { from: 9 * HOUR, to: null, wrong: null })
  assert.deepEqual(read('from=5&to=9'), { from: 5, to: 9, wrong: null })
  assert.deepEqual(read('from=5&since=1h'), { from: 5, to: null, wrong: null })
  assert.deepEqual(read('since=soon').wrong, 'soon')
  assert.deepEqual(read('to=<img>'), { from: null, to: null, wrong: '<img>' })
})

test('pages and hosts in the URL are read, and nothing else', () => {
  assert.deepEqual(readTrail('0af1,zz,,12'), ['0af1', '12'])
  assert.deepEqual(hostsOf(' web-1  db-1 web-1 '), ['web-1', 'db-1'])
  assert.deepEqual(hostsOf(''), [])
})
