import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drops, hostLosses, isZero, rises, stepsOf } from './counters'
import { lossOf } from './losses'
import { plotsOf } from './work'
import { byLevel, endsIn, forecast, inOrder, isLate, lagWords, stateWord, worstFirst } from './say'
import type { MailRow } from '../../api/types'

const NAME = 'muster_collector_ingest_lines_dropped_total'
const number = (reason: string, value: number) => ({ name: NAME, help: 'Lines.', labels: { reason }, value })

test('a counter rises by steps, and a new start counts from nothing', () => {
  const times = [10, 20, 30, 40]
  assert.deepEqual(rises([[10, '5'], [20, '7'], [30, '1'], [40, '1']], times, 0), [null, 2, 1, 0])
  assert.deepEqual(rises([[10, 'NaN'], [20, '3']], times, 0), [null, null, null, null])
})

test('the first value of a counter is a rise only where its process began before it, in the range', () => {
  const times = [10, 20, 30, 40]
  const late = [[30, '4'], [40, '6']] as const
  assert.deepEqual(rises(late, times, 25), [null, null, 4, 2])
  assert.deepEqual(rises(late, times, 5), [null, null, null, 2], 'its process is older than the range')
  assert.deepEqual(rises(late, times, 35), [null, null, null, 2], 'it is of a process before')
  assert.deepEqual(rises([[20, '9'], [40, '1']], times, 35), [null, null, null, 1], 'a start after a first value that is not known')
})

test('steps cover the range in whole seconds', () => {
  assert.deepEqual(stepsOf(10_400, 40_900, 10_000), [10, 20, 30, 40])
  assert.deepEqual(stepsOf(0, 0, 0), [0])
})

test('what rose comes first, with its reason in words; the host of the collector itself is no reason', () => {
  const series = [{ metric: { __name__: NAME, reason: 'too_old', host: 'muster', job: 'muster-collector' }, values: [[10, '1'], [20, '4']] as const }]
  const all = drops([number('labels', 0), number('future', 9), number('too_old', 4), { name: 'muster_collector_up', help: '', labels: {}, value: 1 }], series, [10, 20], 0)
  assert.deepEqual(all.map((one) => [one.what, one.why, one.inRange, one.sinceStart]), [
    ['ingest lines dropped', 'too late to be taken', 3, 4],
    ['ingest lines dropped', 'stamped ahead of the collector: set the clock there', null, 9],
    ['ingest lines dropped', 'labels break a limit', null, 0],
  ])
  assert.deepEqual(all.map(isZero), [false, false, true])
})

test('without history there is still what was dropped since the start', () => {
  assert.equal(drops([number('future', 2)], undefined, [], 0)[0]?.sinceStart, 2)
})

test('what counts a loss is known by its name, of a newer collector by its end', () => {
  const cases: [string, string | null][] = [
    ['muster_collector_notices_dead_total', 'notices_dead'], ['muster_collector_log_losses', 'log_losses'], ['muster_collector_gaps', 'gaps'],
    ['muster_collector_store_samples_lost_total', 'store_samples_lost'], ['muster_collector_new_things_dropped_total', 'new_things_dropped'],
    ['muster_collector_constructor_total', null], ['muster_collector_samples_total', null], ['muster_agent_rows_dropped_total', null],
  ]
  for (const [name, loss] of cases) assert.equal(lossOf(name), loss, name)
})

test('what hosts lost: by how much since the beginning of the range, where that is known', () => {
  const one = (host: string, reason: string, value: string, name = 'muster_agent_batches_dropped_total') => ({ metric: { __name__: name, host, reason }, value: [0, value] as const })
  const now = { data: { result: [one('a', 'spool_full', '7'), one('b', 'spool_full', '3'), one('c', 'disk_error', '2'), one('d', 'disk_error', '0'), one('e', '', '9', 'muster_agent_other_total')] } }
  const before = { data: { result: [one('a', 'spool_full', '5'), one('c', 'disk_error', '4')] } }
  assert.deepEqual(hostLosses(now, before).map(({ host, why, inRange, sinceStart }) => [host, why, inRange, sinceStart]), [
    ['a', 'no room in the spool: the oldest went', 2, 7],
    ['c', 'the disk failed', 2, 2],
    ['b', 'no room in the spool: the oldest went', null, 3],
  ])
  assert.deepEqual(hostLosses(now, undefined).map((row) => row.inRange), [null, null, null])
})

test('findings: what is wrong first', () => {
  const finding = (level: 'ok' | 'warning' | 'problem') => ({ level, examination: level, what: '', where: '', remedy: '' })
  assert.deepEqual(byLevel([finding('ok'), finding('warning'), finding('problem')]).map((one) => one.level), ['problem', 'warning', 'ok'])
})

test('the forecast says when the disk is full, that it is not, or that it is not known', () => {
  assert.deepEqual(forecast(null, null), { tone: 'off', text: 'when it is full is not known for half an hour' })
  assert.deepEqual(forecast(1e9, null), { tone: 'ok', text: 'does not fill up' })
  assert.deepEqual(forecast(-1e9, 2 * 86_400), { tone: 'critical', text: 'full in 2 d' })
  assert.equal(forecast(-1e9, 20 * 86_400).tone, 'warning')
  assert.equal(forecast(-1e9, 400 * 86_400).tone, 'ok')
})

test('notices: what was given up, what is tried next, what waits, what has ended', () => {
  const row = (notice: number, state: string, next_ms: number | null = null, done_ms: number | null = null): MailRow => ({ notice, state, next_ms, done_ms, queued_ms: notice }) as unknown as MailRow
  const rows = [row(1, 'accepted', null, 10), row(2, 'queued'), row(3, 'deferred', 90), row(4, 'deferred', 30), row(5, 'dead', null, 5), row(6, 'accepted', null, 20), row(7, 'constructor')]
  assert.deepEqual(inOrder(rows).map((one) => one.notice), [5, 4, 3, 2, 6, 1, 7])
  assert.equal(stateWord(row(1, 'deferred')).word, 'tried again')
  assert.equal(stateWord(row(1, 'constructor')).word, 'constructor')
})

test('a certificate that nothing renewed is said in time', () => {
  const day = 86_400_000
  assert.deepEqual(endsIn(30 * day, 0), { tone: undefined, text: 'for 30 d more' })
  assert.deepEqual(endsIn(2 * day, 0), { tone: 'warning', text: 'for 2 d more' })
  assert.deepEqual(endsIn(0, 3_600_000), { tone: 'critical', text: 'expired 1 h ago' })
})

test('the lines of all plots have keys of their own, and nothing is divided by nothing', () => {
  const lines = plotsOf(60).flatMap((plot) => plot.lines)
  assert.equal(new Set(lines.map((line) => line.key)).size, lines.length)
  for (const { expr } of lines) assert.ok(!expr.includes('/') || expr.includes('> 0'), expr)
})

test('groups of rules: failing, late, then slow ones', () => {
  const group = (name: string, more: object) => ({ file: 'a.yml', name, interval_ms: 10_000, last_ms: 95_000, took_ms: 1, failing: 0, missed: 0, ...more })
  const groups = [group('well', {}), group('slow', { took_ms: 9000 }), group('late', { last_ms: 50_000 }), group('never', { last_ms: null }), group('bad', { failing: 2 })]
  assert.deepEqual(worstFirst(groups, 100_000).map((one) => one.name), ['bad', 'late', 'slow', 'well', 'never'])
  assert.ok(!isLate(group('never', { last_ms: null }), 100_000))
})

test('how far hosts are behind, in words', () => {
  assert.equal(lagWords({ known: 0, over_1m: 0, over_5m: 0 }), 'none known')
  assert.equal(lagWords({ known: 2, over_1m: 0, over_5m: 0 }), '2 hosts within 1 m')
  assert.equal(lagWords({ known: 9, over_1m: 3, over_5m: 1 }), '3 of 9 hosts older than 1 m, 1 than 5 m')
})
