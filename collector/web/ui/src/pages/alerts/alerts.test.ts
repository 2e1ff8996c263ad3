import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Alert } from '../../api/types'
import { joined, seriesOf } from './expression'
import { filterAlerts, rowsOf } from './filter'
import { readTree, walk } from './walk'

test('a limit that is a series lies on the same axis of times', () => {
  const both = joined({ times: [1, 3], series: [{ label: 'a', values: [5, 6] }], left: 1 }, { times: [2, 3], series: [{ label: 'value', values: [7, 8] }], left: 0 }, 'limit')
  assert.deepEqual(both, { times: [1, 2, 3], series: [{ label: 'a', values: [5, null, 6] }, { label: 'limit', values: [null, 7, 8] }], left: 1 })
})

test('the series of the alert are drawn, with gaps', () => {
  const result = [{ metric: { __name__: 'load', host: 'a' }, values: [[1, '2'], [3, 'NaN']] as const }, { metric: { __name__: 'load', host: 'b' }, values: [[2, '9']] as const }]
  assert.deepEqual(seriesOf({ data: { result } }, { host: 'a', alertname: 'X' }), { times: [1, 3], series: [{ label: 'load', values: [2, null] }], left: 0 })
  assert.equal(seriesOf({ data: { result } }, { host: 'c' }).series.length, 2)
  // Labels that the alert lacks do not make it another's.
  const mounted = [{ metric: { host: 'a', mountpoint: '/' }, values: [[1, '2']] as const }, { metric: { host: 'b', mountpoint: '/' }, values: [[1, '3']] as const }]
  assert.deepEqual(seriesOf({ data: { result: mounted } }, { host: 'a' }).series, [{ label: 'host=a mountpoint=/', values: [2] }])
})

const alert = (id: string, state: Alert['state'], labels: Record<string, string>): Alert => ({ id, state, labels, annotations: { summary: 'it is full' }, origin: { kind: 'rule' }, active_ms: 1, starts_ms: null, ends_ms: null, updated_ms: 1, value: 1, expression: '', receivers: [], holds: [] })

test('alerts are filtered by words and labels, and stand in groups', () => {
  const all = [alert('1', 'pending', { host: 'web-1' }), alert('2', 'firing', { host: 'db-1' }), alert('3', 'firing', { host: 'web-1' })]
  const ids = (text: string, states: string[] = []) => filterAlerts(all, text, states).map(({ id }) => id)
  assert.deepEqual([ids('full host=web-1'), ids('', ['firing']), ids('host!=web-1'), ids('nothing')], [['1', '3'], ['2', '3'], ['2'], []])
  assert.deepEqual(rowsOf(all, 'host').map(({ key }) => key), ['head/db-1', '2', 'head/web-1', '3', '1'])
})

const SETTINGS = `# As it is in force
route:
  receiver: "ops"
  group_by: ["alertname"]
  repeat_interval: 14400000ms
  routes:
  -
    receiver: "chat"
    matchers: ["severity=\\"page\\""]
    continue: true
  -
    receiver: "db"
    matchers: ["role=\\"db\\""]
    routes:
    -
      receiver: "shop"
      matchers: ["team=~\\"shop|pay\\""]
  -
    receiver: "last"
receivers:
- name: "ops"
`

test('the tree is walked as alerts go through it', () => {
  const root = readTree(SETTINGS)
  assert.ok(root)
  assert.equal(root.repeatMs, 14_400_000)
  const ways = (labels: Record<string, string> | null) => walk(root, labels).map(({ route, depth, how }) => `${depth} ${route.receiver} ${how}`)
  assert.deepEqual(ways({ severity: 'page', role: 'db', team: 'pay' }), ['0 ops passed', '1 chat told', '1 db passed', '2 shop told', '1 last not reached'])
  assert.deepEqual(ways({ role: 'db' }), ['0 ops passed', '1 chat other', '1 db told', '2 shop other', '1 last not reached'])
  assert.deepEqual(ways(null).every((way) => way.endsWith('unasked')), true)
  assert.equal(walk(root, { role: 'db', team: 'shop' })[3]?.path, '{}/{role="db"}/{team=~"shop|pay"}')
  assert.equal(readTree('other: true'), null)
})
