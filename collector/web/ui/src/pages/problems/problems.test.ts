import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Alert, Check } from '../../api/types'
import { counts, filter, offers, withCondition } from './filter'
import { groupable, groups, rows, worst } from './group'
import { escapeRegex, matches, matchersOf, silence, texts } from './matchers'
import { isHandled, problemsOf } from './problem'

function alert(id: string, more: Partial<Alert> & { labels: Record<string, string> }): Alert {
  return {
    id, state: 'firing', annotations: { summary: `${id} is wrong` }, origin: { kind: 'rule' }, active_ms: 100, starts_ms: 200, ends_ms: null, updated_ms: 200, value: null, expression: '', receivers: [], holds: [],
    ...more,
  }
}

function check(host: string, name: string, more: Partial<Check> = {}): Check {
  return {
    host, host_id: `id-${host}`, check: name, kind: 'plugin', state: 'CRITICAL', hard_state: 'CRITICAL', is_hard: true, attempt: 3, max_attempts: 3, since_ms: 300, hard_since_ms: 300, at_ms: 400, arrived_ms: 400, is_live: true,
    is_stale: false, stale_ms: null, output: 'broken', long_output: '', perfdata: [], duration_ms: 0, interval_ms: 0, parents: [], remedy: '', is_flapping: false, flapping_percent: 0, acknowledgement: null, holds: [],
    ...more,
  }
}

const ack = { by: 'user:ann', comment: 'on it', at_ms: 1, until_ms: null, sticky: false }
const alerts = [
  alert('a', { labels: { alertname: 'raid', host: 'web-1', severity: 'critical', env: 'prod', team: 'shop' }, origin: { kind: 'check', host_id: 'id-web-1', check: 'raid' }, holds: [{ why: 'acknowledged', by: 'user:ann', until_ms: null }] }),
  alert('b', { labels: { alertname: 'DiskFull', host: 'db-1', severity: 'warning', env: 'prod' }, starts_ms: 500 }),
  alert('c', { labels: { alertname: 'DiskFull', host: 'db-2', severity: 'warning', env: 'test' }, starts_ms: 400 }),
]
const checks = [check('web-1', 'raid', { acknowledgement: ack }), check('web-2', 'http', { state: 'WARNING', hard_state: 'OK', is_hard: false, attempt: 1, is_flapping: true, flapping_percent: 40 })]
const all = problemsOf(alerts, checks)

test('what fires is joined with its check, and what is not yet told of is there too', () => {
  assert.deepEqual(all.map((problem) => problem.id), ['a', 'b', 'c', 'id-web-2/http'])
  const [raid, disk, , http] = all
  assert.ok(raid && disk && http)
  assert.deepEqual([raid.state, raid.owner, isHandled(raid)], ['CRITICAL', 'user:ann', true])
  assert.deepEqual([disk.state, disk.soft, isHandled(disk)], ['WARNING', '', false])
  assert.deepEqual([http.state, http.soft, http.flapping], ['WARNING', '1 of 3', 40])
})

test('a filter has words and conditions, and says what it does not understand', () => {
  const ids = (text: string, states: string[] = [], show: 'open' | 'handled' | 'all' = 'all') => filter(all, text, states, show).problems.map((problem) => problem.id)
  assert.deepEqual(ids('', [], 'open'), ['b', 'c', 'id-web-2/http'])
  assert.deepEqual(ids('', [], 'handled'), ['a'])
  assert.deepEqual(ids('', ['CRITICAL']), ['a'])
  assert.deepEqual(ids('DISKFULL'), ['b', 'c'])
  assert.deepEqual(ids('diskfull -db-2'), ['b'])
  assert.deepEqual(ids('env=prod'), ['a', 'b'])
  assert.deepEqual(ids('env!=prod'), ['c', 'id-web-2/http'])
  assert.deepEqual(ids('host=~"db-.*" env=test'), ['c'])
  assert.deepEqual(ids('host!~db-.*'), ['a', 'id-web-2/http'])
  assert.deepEqual(ids('state=Warning owner=""'), ['b', 'c', 'id-web-2/http'])
  assert.deepEqual(ids('why=acknowledged'), ['a'])
  assert.equal(filter(all, 'host=~[ env=prod', [], 'all').wrong, '[ is no regular expression')
  assert.deepEqual(counts(all, 'open'), { CRITICAL: 0, WARNING: 3, UNKNOWN: 0 })
})

test('a label that is picked becomes a condition, and picked again goes', () => {
  assert.equal(withCondition('disk', 'env', 'prod'), 'disk env=prod')
  assert.equal(withCondition('disk env=prod', 'env', 'prod'), 'disk')
  assert.equal(withCondition('', 'note', 'two words'), 'note="two words"')
  assert.deepEqual(filter(all, withCondition('', 'env', 'prod'), [], 'all').problems.length, 2)
})

test('completion knows names, and values of a name', () => {
  assert.ok(offers(all, 'e').some((offer) => offer.text === 'env='))
  assert.deepEqual(offers(all, 'env=').map((offer) => `${offer.text} ${offer.note}`), ['env=prod 2', 'env=test 1'])
})

test('groups of one are a row, larger ones have a head, and a storm is folded', () => {
  const shown = rows(groups(all, 'name'), new Set())
  assert.deepEqual(shown.map((row) => (row.kind === 'group' ? `${row.group.key} ${row.group.problems.length}` : row.problem.id)), ['a', 'DiskFull 2', 'b', 'c', 'id-web-2/http'])
  assert.equal(rows(groups(all, 'name'), new Set(['DiskFull'])).length, 3)
  const storm = problemsOf(Array.from({ length: 500 }, (_, n) => alert(`s${n}`, { labels: { alertname: 'HostSilent', host: `h${n}` } })), [])
  assert.equal(rows(groups(storm, 'name'), new Set()).length, 1)
  assert.equal(rows(groups(storm, 'name'), new Set(['HostSilent'])).length, 501)
  assert.equal(rows(groups(storm, 'none'), new Set()).length, 500)
  assert.equal(groups(storm, 'name')[0]?.hosts, 500)
  assert.equal(worst({ key: '', problems: all, hosts: 1 }), 'CRITICAL')
  assert.deepEqual(groups(all, 'env').map((group) => group.key), ['prod', 'test', 'without env'])
  assert.deepEqual(groupable(all), ['env', 'severity', 'team'])
})

test('matchers hold back what was chosen, with any name', () => {
  const chosen = all.filter((problem) => problem.name === 'DiskFull')
  const these = matchersOf(chosen, 'these', 'alertname')
  assert.deepEqual(texts(these), ['alertname="DiskFull"', 'host=~"db-1|db-2"'])
  assert.deepEqual(all.filter((problem) => matches(problem, these)).map((problem) => problem.id), ['b', 'c'])
  assert.deepEqual(texts(matchersOf(chosen, 'hosts', 'alertname')), ['host=~"db-1|db-2"'])
  assert.deepEqual(texts(matchersOf(chosen, 'names', 'alertname')), ['alertname="DiskFull"'])
  assert.equal(escapeRegex('a.b|c(d)'), 'a\\.b\\|c\\(d\\)')
  const sent = silence(these, 'ann', 'disks', 0, 3_600_000)
  assert.deepEqual(sent.matchers[1], { name: 'host', value: 'db-1|db-2', isRegex: true, isEqual: true })
  assert.equal(sent.endsAt, '1970-01-01T01:00:00.000Z')
})
