import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Labels } from '../../api/types'
import { awayOf, endOf, happened, isBad, lostOf, marksOf, msOf, stateOfValue, stripOf, type Happened } from './happened'
import { labelChanges, labelLines } from './labels'
import { selector } from './loglines'
import { sourcesOf } from './sources'
import { GROUPS, linesOf, offered, question } from './plots'

const AXIS = { from: 0, to: 40_000, step: 10_000 }
const event = (ms: number, kind: string, labels: Labels = {}, what = 'state'): Happened => ({ id: `${ms} ${kind}`, ms, what, kind, text: kind, labels })

test('each plot has one question about one host, whatever that is called', () => {
  const keys = GROUPS.flatMap((group) => group.plots.map(({ key }) => key))
  assert.equal(new Set(keys).size, keys.length)
  assert.ok(keys.length >= 40)
  for (const { plots } of GROUPS) {
    for (const kind of plots) {
      const text = question(kind, '$1@"\\', AXIS)
      assert.ok(text.includes('host="$1@\\"\\\\"'), text)
      assert.equal([...text].filter((one) => one === '(').length, [...text].filter((one) => one === ')').length, text)
      assert.ok(!/\[@\]|\{\$/.test(text), text)
    }
  }
})

test('over long steps what is no rate is a mean', () => {
  const kind = (key: string) => GROUPS.flatMap(({ plots }) => plots).find((plot) => plot.key === key) ?? assert.fail(key)
  const long = { from: 0, to: 6e6, step: 600_000 }
  assert.equal(question(kind('fds'), 'a', AXIS), 'node_filefd_allocated{host="a"}')
  assert.equal(question(kind('fds'), '{}', long), 'avg_over_time(node_filefd_allocated{host="{}"}[600s])')
  assert.equal(question(kind('forks'), 'a', long), 'rate(node_forks_total{host="a"}[1200s])')
  assert.equal(question(kind('cpu'), 'a', long), 'sum by (mode) (rate(node_cpu_seconds_total{host="a",mode!="idle"}[1200s])) / scalar(count(avg_over_time(node_cpu_seconds_total{host="a",mode="idle"}[600s])))')
})

test('only plots are offered for which the host has all metrics', () => {
  assert.equal(offered(null), GROUPS)
  assert.deepEqual(offered(new Set(['node_load1'])).map((group) => group.plots.map(({ key }) => key)), [['load']])
  assert.deepEqual(offered(new Set()), [])
})

test('of many series those with the highest values are drawn', () => {
  const kind = GROUPS[2]?.plots.find(({ key }) => key === 'read')
  assert.ok(kind)
  const result = Array.from({ length: 30 }, (_, at) => ({ metric: { device: `d${at}` }, values: [[10, String(at)], [20, '0']] as [number, string][] }))
  const lines = linesOf(kind, { data: { result } }, AXIS)
  assert.deepEqual([lines.series.length, lines.more, lines.times.length], [12, 18, 5])
  assert.ok(lines.series.every(({ label }) => Number(label.slice(1)) >= 18))
  assert.deepEqual(lines.series[0]?.values.slice(0, 3), [null, 18, 0])
})

test('events are marks once, and times away are gaps', () => {
  const events = happened({ data: { result: [{ stream: { event: 'boot', kind: 'host_booted' }, values: [['1795961913070000000', 'boots']] }, { stream: { event: 'notice', kind: 'notice_made' }, values: [['1795961914070000000', 'told']] }] } })
  assert.deepEqual(events.map(({ ms }) => ms), [1795961914070, 1795961913070])
  assert.deepEqual(marksOf(events, { from: 1795961900000, to: 1795961920000 }), [{ at: 1795961913070, text: 'boots', colour: 'busy', host: '' }])
  const twice = [event(9, 'alert_firing', { check: 'raid' }, 'alert'), event(8, 'check_state', { check: 'raid', to: 'CRITICAL' }), event(7, 'alert_firing', { severity: 'warning' }, 'alert')]
  const span = { from: 0, to: 100 }
  assert.deepEqual(marksOf(twice, span).map(({ at, colour }) => [at, colour]), [[8, 'critical'], [7, 'warning']])
  // Of those at one place the worst.
  assert.deepEqual(marksOf(twice, { from: 0, to: 1e6 }).map(({ at, colour }) => [at, colour]), [[8, 'critical']])
  const ends = (...events: Happened[]) => awayOf(events, span).map(({ from, to }) => [from, to])
  assert.deepEqual(ends(event(60, 'host_silent'), event(30, 'host_returned')), [[0, 30], [60, 100]])
  assert.deepEqual(ends(event(50, 'host_returned'), event(40, 'host_silent'), event(20, 'agent_stopped')), [[20, 50]])
  assert.equal(msOf('1795961913070123456'), 1795961913070)
  const lost = [event(90, 'gap', { from_ms: '10', to_ms: '120' }, 'loss'), event(80, 'gap', { from_ms: '200', to_ms: '210' }, 'loss'), event(70, 'log_lost', {}, 'loss')]
  assert.deepEqual(lostOf(lost, span).map(({ from, to }) => [from, to]), [[10, 100]])
})

test('the strip of a check has its states, and nothing where nothing is known', () => {
  const check = { check: 'raid', state: 'CRITICAL' as const, since_ms: 50 }
  const span = { from: 0, to: 100 }
  const changes = [event(70, 'check_state', { check: 'raid', from: 'CRITICAL', to: 'OK' }), event(50, 'check_state', { check: 'raid', from: 'OK', to: 'CRITICAL' })]
  assert.equal(stripOf(check, changes, span, 100, 0, 10), '.....cc...')
  // It is new: before its first result it was nothing.
  assert.equal(stripOf(check, changes, span, 100, 50, 10), '-----cc...')
  assert.equal(stripOf(check, changes, span, 100, undefined, 10), '-----cc...')
  assert.equal(stripOf(check, [], span, 80, undefined, 10), '-----ccc--')
  assert.equal(stripOf({ ...check, since_ms: -5 }, [], span, 100, undefined, 4), 'cccc')
})

test('ranges of plugins are read as their guidelines have them', () => {
  const cases: [string, number, boolean][] = [['10', 11, true], ['10', 10, false], ['10', -1, true], ['10:', 9, true], ['10:', 11, false], ['~:10', -50, false], ['~:10', 11, true], ['10:20', 21, true], ['@10:20', 15, true], ['@10:20', 21, false], ['', 5, false], ['nonsense', 5, false]]
  for (const [range, value, bad] of cases) assert.equal(isBad(range, value), bad, `${range} ${value}`)
  assert.deepEqual([endOf('10'), endOf('10:'), endOf('~:10'), endOf('10:20'), endOf('')], [10, null, 10, 20, null])
  assert.equal(stateOfValue(95, '80', '90'), 'CRITICAL')
  assert.equal(stateOfValue(85, '80', '90'), 'WARNING')
  assert.equal(stateOfValue(null, '80', '90'), 'UNKNOWN')
})

test('labels are lines, and what changes in them is told', () => {
  assert.equal(labelLines({ env: 'prod', role: 'web' }), 'env=prod\nrole=web')
  const changed = labelChanges({ env: 'prod', role: 'web' }, 'env=dev\nrack = r 1=2\n\n')
  assert.deepEqual([changed.set, changed.remove, changed.wrong], [{ env: 'dev', rack: 'r 1=2' }, ['role'], null])
  assert.match(labelChanges({}, 'a=1\na=2').wrong ?? '', /twice/)
  assert.match(labelChanges({}, 'a').wrong ?? '', /not name=value/)
  const odd = labelChanges({ constructor: 'a' } as unknown as Labels, 'constructor=b\n__proto__=c')
  assert.equal(odd.wrong, null)
  assert.equal(JSON.stringify(odd.set), '{"constructor":"b","__proto__":"c"}')
})

test('lines are asked for by host and text', () => {
  assert.equal(selector('w"1', ' a.b ', ''), '{host="w\\"1",source!="muster"} |~ "(?i)a\\\\.b"')
  assert.equal(selector('w', '', 'warn'), '{host="w",source!="muster"} | level=~"(?i)warn.*"')
})

test('sources of lines stand once each, whatever else their streams have', () => {
  const all = sourcesOf([{ host: 'w', filename: '/b', app: 'shop', level: 'x' }, { host: 'w', filename: '/b', app: 'shop', level: 'y' }, { host: 'w', unit: 'a.service', job: 'journal' }])
  assert.deepEqual(all.map(({ name, note }) => [name, note]), [['/b', 'app=shop'], ['a.service', 'job=journal']])
  assert.equal(all[0]?.query, '{host="w", filename="/b", app="shop", source!="muster"}')
})
