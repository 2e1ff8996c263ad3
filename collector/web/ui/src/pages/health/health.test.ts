import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drops, isZero, rises, stepsOf } from './counters'
import { byLevel, forecast } from './say'

const NAME = 'muster_collector_ingest_lines_dropped_total'
const number = (reason: string, value: number) => ({ name: NAME, help: 'Lines.', labels: { reason }, value })

test('a counter rises by steps, and a new start counts from nothing', () => {
  const times = [10, 20, 30, 40]
  assert.deepEqual(rises([[10, '5'], [20, '7'], [30, '1'], [40, '1']], times, false), [null, 2, 1, 0])
  assert.deepEqual(rises([[30, '4'], [40, '6']], times, true), [null, null, 4, 2])
  assert.deepEqual(rises([[30, '4'], [40, '6']], times, false), [null, null, null, 2])
  assert.deepEqual(rises([[10, 'NaN'], [20, '3']], times, false), [null, null, null, null])
})

test('steps cover the range in whole seconds', () => {
  assert.deepEqual(stepsOf(10_400, 40_900, 10_000), [10, 20, 30, 40])
  assert.deepEqual(stepsOf(0, 0, 0), [0])
})

test('what rose comes first, with its reason in words; the host of the collector itself is no reason', () => {
  const series = [{ metric: { __name__: NAME, reason: 'too_old', host: 'muster', job: 'muster-collector' }, values: [[10, '1'], [20, '4']] as const }]
  const all = drops([number('labels', 0), number('future', 9), number('too_old', 4), { name: 'muster_collector_up', help: '', labels: {}, value: 1 }], series, [10, 20], 0)
  assert.deepEqual(all.map((one) => [one.what, one.did, one.why, one.inRange, one.sinceStart]), [
    ['ingest lines', 'dropped', 'too old', 3, 4],
    ['ingest lines', 'dropped', 'future', null, 9],
    ['ingest lines', 'dropped', 'labels', null, 0],
  ])
  assert.deepEqual(all.map(isZero), [false, false, true])
})

test('without history there is still what was dropped since the start', () => {
  assert.equal(drops([number('future', 2)], undefined, [], 0)[0]?.sinceStart, 2)
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
