import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProblemRow } from '../../api/types'
import { canAcknowledge, canTakeBack } from './act'
import { counts, filter, offers, withCondition } from './filter'
import { groupable, groups, rows, worst } from './group'
import { escapeRegex, matches, matchersOf, silence, texts } from './matchers'
import { isAddress, problemsOf } from './problem'

function row(id: string, title: string, host: string, more: Partial<ProblemRow> = {}): ProblemRow {
  return {
    id, kind: 'rule', state: 'firing', title, host, host_id: null, check: null, severity: 'warning', check_state: null, attempt: null, max_attempts: null, since_ms: 200, owner: null, receivers: [],
    is_flapping: false, acknowledgement: null, holds: [], handled: false, value: null, output: `${id} is wrong`, remedy: null, labels: { alertname: title, host }, group: `name/${title}`, incident: null,
    ...more,
  }
}

const ack = { by: 'user:ann', comment: 'on it', at_ms: 1, until_ms: null, sticky: false }
const all = problemsOf([
  row('a', 'raid', 'web-1', {
    kind: 'check', host_id: 'id-1', check: 'raid', severity: 'critical', owner: 'shop', acknowledgement: ack, handled: true, holds: [{ why: 'acknowledged', by: 'user:ann', until_ms: null }],
    labels: { alertname: 'raid', host: 'web-1', severity: 'critical', env: 'prod', team: 'shop' },
  }),
  row('b', 'DiskFull', 'db-1', { labels: { alertname: 'DiskFull', host: 'db-1', severity: 'warning', env: 'prod' } }),
  row('c', 'DiskFull', 'db-2', { labels: { alertname: 'DiskFull', host: 'db-2', severity: 'warning', env: 'test' } }),
  row('soft:2/http', 'http', 'web-2', { kind: 'check', host_id: 'id-2', check: 'http', state: 'soft', attempt: 1, max_attempts: 3, is_flapping: true }),
])

test('a problem has its state, its owner and how far it is', () => {
  const [raid, disk, , http] = all
  assert.ok(raid && disk && http)
  assert.deepEqual([raid.state, raid.owner, raid.isHandled], ['CRITICAL', 'user:ann', true])
  assert.deepEqual([disk.state, disk.soft, disk.isHandled], ['WARNING', '', false])
  assert.deepEqual([http.state, http.soft, http.isFlapping], ['WARNING', '1 of 3', true])
  assert.deepEqual(all.map(canAcknowledge), [true, false, false, false])
  assert.deepEqual(all.map(canTakeBack), [true, false, false, false])
})

test('only an address is a link', () => {
  assert.ok(isAddress('https://wiki.example/raid?x=1'))
  for (const other of ['javascript' + ':alert(1)', 'see https://wiki.example', 'data:text/html,x', '//wiki.example', '']) assert.ok(!isAddress(other), other)
})

test('a filter has words and conditions, and says what it does not understand', () => {
  const ids = (text: string, states: string[] = [], show: 'open' | 'handled' | 'all' = 'all') => filter(all, text, states, show).problems.map((problem) => problem.id)
  assert.deepEqual(ids('', [], 'open'), ['b', 'c', 'soft:2/http'])
  assert.deepEqual(ids('', [], 'handled'), ['a'])
  assert.deepEqual(ids('', ['CRITICAL']), ['a'])
  assert.deepEqual(ids('DISKFULL'), ['b', 'c'])
  assert.deepEqual(ids('diskfull -db-2'), ['b'])
  assert.deepEqual(ids('env=prod'), ['a', 'b'])
  assert.deepEqual(ids('env!=prod'), ['c', 'soft:2/http'])
  assert.deepEqual(ids('host=~"db-.*" env=test'), ['c'])
  assert.deepEqual(ids('host!~db-.*'), ['a', 'soft:2/http'])
  assert.deepEqual(ids('state=Warning owner=""'), ['b', 'c', 'soft:2/http'])
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
  assert.deepEqual(shown.map((row) => (row.kind === 'group' ? `${row.group.title} ${row.group.problems.length}` : row.problem.id)), ['a', 'DiskFull 2', 'b', 'c', 'soft:2/http'])
  assert.equal(rows(groups(all, 'name'), new Set(['DiskFull'])).length, 3)
  const storm = problemsOf(Array.from({ length: 500 }, (_, n) => row(`s${n}`, 'HostSilent', `h${n}`)))
  assert.equal(rows(groups(storm, 'name'), new Set()).length, 1)
  assert.equal(rows(groups(storm, 'name'), new Set(['HostSilent'])).length, 501)
  assert.equal(rows(groups(storm, 'none'), new Set()).length, 500)
  assert.equal(groups(storm, 'name')[0]?.hosts, 500)
  assert.equal(worst({ key: '', title: '', problems: all, hosts: 1 }), 'CRITICAL')
  assert.deepEqual(groups(all, 'env').map((group) => group.key), ['prod', 'test', 'without env'])
  const mixed = groups(problemsOf([row('x', 'raid', 'h1', { group: 'incident/7' }), row('y', 'disk', 'h1', { group: 'incident/7' })]), 'incident')
  assert.deepEqual(mixed.map((group) => [group.title, group.hosts]), [['raid and 1 more', 1]])
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
