import assert from 'node:assert/strict'
import { test } from 'node:test'
import { axisOf, onGrid, quoted, timesOf } from '../../api/matrix'
import type { FleetRow, Host } from '../../api/types'
import { byHost, hostMatcher } from './metrics'
import { counts, filter, lines, merge, newestVersion, offers, overallOf, rowOf, sort, withChecks, type Row } from './rows'

const NONE = new Map<string, number>()

function row(name: string, more: Partial<FleetRow> = {}): Row {
  return rowOf({
    id: `id-${name}`,
    name,
    state: 'active',
    presence: 'up',
    since_ms: 0,
    labels: {},
    agent_version: '0.1.0',
    last_arrival_ms: 5,
    lag_ms: 10,
    checks: { worst: null, ok: 0, warning: 0, critical: 0, unknown: 0 },
    problems: 0,
    unhandled: 0,
    strip: '....',
    ...more,
  })
}
const names = (rows: readonly Row[]): string[] => rows.map(({ name }) => name)
const checks = (worst: 'OK' | 'WARNING' | 'CRITICAL') => ({ worst, ok: 0, warning: 0, critical: worst === 'CRITICAL' ? 1 : 0, unknown: 0 })

test('a host is what matters most of it', () => {
  assert.equal(overallOf(row('a')), 'OK')
  assert.equal(overallOf(row('a', { checks: checks('WARNING') })), 'WARNING')
  assert.equal(overallOf(row('a', { presence: 'silent', checks: checks('CRITICAL') })), 'silent')
  assert.equal(overallOf(row('a', { state: 'pending', presence: null })), 'pending')
  assert.equal(overallOf(row('a', { presence: null })), 'not heard')
})

test('news change the rows that they are of, and no others', () => {
  const rows = [row('a'), row('b'), row('c')]
  const told = { id: 'id-b', name: 'b2', labels: { env: 'prod' }, state: 'active', presence: 'silent', agent_version: '0.2.0', last_arrival_ms: 7 } as unknown as Host
  const { rows: next, isEnough } = merge(rows, [told], ['id-c'])
  assert.ok(isEnough)
  assert.deepEqual(names(next), ['a', 'b2'])
  assert.equal(next[0], rows[0])
  assert.deepEqual([next[1]?.overall, next[1]?.agent_version, next[1]?.strip], ['silent', '0.2.0', '....'])
  assert.equal(merge(rows, [{ ...told, id: 'new' }], []).isEnough, false)
  const retired = merge(rows, [{ ...told, id: 'id-a', state: 'retired' }], [])
  assert.deepEqual([names(retired.rows), retired.isEnough], [['b', 'c'], true])
  assert.equal(withChecks(row('a'), [{ state: 'OK' }, { state: 'CRITICAL' }]).overall, 'CRITICAL')
})

test('the filter knows text, labels, states and what is wrong with it', () => {
  const rows = [row('web-1', { labels: { env: 'prod', rack: 'r 1' } }), row('db-1', { labels: { env: 'dev' }, presence: 'silent' })]
  const found = (text: string): string[] => names(filter(rows, text).rows)
  assert.deepEqual(found('web'), ['web-1'])
  assert.deepEqual(found('PROD'), ['web-1'])
  assert.deepEqual(found('-web'), ['db-1'])
  assert.deepEqual(found('env=dev'), ['db-1'])
  assert.deepEqual(found('env!=dev'), ['web-1'])
  assert.deepEqual(found('host=~.*-1 state=silent'), ['db-1'])
  assert.deepEqual(found('rack="r 1"'), ['web-1'])
  assert.deepEqual(filter(rows, 'host=~( web').wrong, '( is no regular expression')
  assert.deepEqual(found('host=~( web'), ['web-1'])
  assert.deepEqual(offers(rows, 'env=').map(({ text }) => text), ['env=prod', 'env=dev'])
})

test('5,000 rows are sorted by any column, numbers in names as numbers', () => {
  assert.deepEqual(names(sort([row('web-10'), row('web-9'), row('db-1')], 'name', NONE)), ['db-1', 'web-9', 'web-10'])
  const rows = [row('b', { lag_ms: null }), row('a', { lag_ms: 90 }), row('c', { presence: 'silent', agent_version: '0.10.0' }), row('d', { agent_version: '0.9.0' })]
  assert.deepEqual(names(sort(rows, '-state', NONE)), ['c', 'a', 'b', 'd'])
  assert.deepEqual(names(sort(rows, '-lag', NONE))[0], 'b')
  assert.deepEqual(names(sort(rows, '-version', NONE)).slice(0, 2), ['c', 'd'])
  assert.deepEqual(names(sort(rows, '-cpu', new Map([['d', 0.9], ['a', 0.1]]))), ['d', 'a', 'b', 'c'])
  assert.equal(newestVersion(rows), '0.10.0')
  assert.deepEqual(counts(rows), [['silent', 1], ['OK', 3]])
})

test('groups have their hosts, and those without the label come last', () => {
  const rows = [row('a', { labels: { env: 'prod' } }), row('b'), row('c', { labels: { env: 'dev' } })]
  const shown = lines(rows, 'env', new Set(['prod'])).map((line) => (line.kind === 'group' ? `[${line.key}]` : line.row.name))
  assert.deepEqual(shown, ['[dev]', 'c', '[prod]', '[]', 'b'])
  assert.equal(lines(rows, '', new Set()).length, 3)
})

test('names of hosts are no regular expressions and no syntax', () => {
  assert.equal(hostMatcher(['web.1', 'a|b', 'x"y']), String.raw`host=~"web\\.1|a\\|b|x\"y"`)
  assert.ok(hostMatcher(Array.from({ length: 500 }, (_, at) => `h${at}-${'x'.repeat(200)}`)).length < 5200)
  assert.equal(quoted('a\nb'), String.raw`"a\x0ab"`)
})

test('values lie on the grid of their axis', () => {
  const axis = axisOf({ from: 12_000, to: 58_000 }, 10_000)
  assert.deepEqual(axis, { from: 10_000, to: 60_000, step: 10_000 })
  assert.deepEqual(timesOf(axis), [10, 20, 30, 40, 50, 60])
  assert.deepEqual(onGrid([[20, '1'], [40, 'NaN'], [60, '3'], [90, '9']], axis), [null, 1, null, null, null, 3])
  assert.deepEqual([...byHost({ data: { result: [{ metric: { host: 'a' }, value: [1, '0.5'] }, { metric: {}, value: [1, '1'] }] } })], [['a', 0.5]])
})
