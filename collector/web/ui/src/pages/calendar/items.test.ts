import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dayStart, daysFrom, itemsOf, lanes, monthStart, occurrences, firstSpan, periodWords, spanOf, steered } from './items'
import { matchesAll, ofSilence, parseMatchers, shellWord, silenceCommand, toSilence, written } from './matcher'

const HOUR = 3_600_000
const at = (text: string): number => Date.parse(text)
const [item] = itemsOf([], [{ id: 1, state: 'active', matchers: [], starts_ms: at('2026-11-24T02:30:00Z'), ends_ms: at('2026-11-26T00:00:00Z'), every: 'daily 02:00-03:00', zone: 'UTC', by: 'ann', reason: '' }])

test('what comes again is drawn out within its start and end', () => {
  assert.ok(item)
  const found = occurrences(item, { from: at('2026-11-23T00:00:00Z'), to: at('2026-11-30T00:00:00Z') })
  assert.deepEqual(found.map(({ from, to }) => (to - from) / HOUR), [0.5, 1])
  assert.deepEqual(occurrences(item, { from: at('2026-12-01T00:00:00Z'), to: at('2026-12-02T00:00:00Z') }), [])
})

test('what holds at once lies in lanes of its own', () => {
  assert.ok(item)
  const plain = (key: string, from: number, to: number) => ({ ...item, key, every: '', from, to })
  const { blocks, count } = lanes([plain('a', 0, 10), plain('b', 5, 15), plain('c', 10, 20)], { from: 0, to: 100 })
  assert.equal(count, 2)
  assert.deepEqual(blocks.map(({ item, lane }) => item.key + lane), ['a0', 'b1', 'c0'])
})

test('weeks begin on Monday, months on their first', () => {
  const days = daysFrom(at('2026-11-29T12:00:00Z'), true, 7)
  assert.deepEqual([days.length, days[0], days[7]], [8, at('2026-11-23T00:00:00Z'), at('2026-11-30T00:00:00Z')])
  assert.equal(monthStart(at('2026-12-31T23:00:00Z'), true, 1), at('2027-01-01T00:00:00Z'))
  assert.equal(dayStart(at('2026-11-30T23:00:00Z'), true, 1), at('2026-12-01T00:00:00Z'))
})

test('matchers are read, written, and match as the collector has them', () => {
  const matchers = parseMatchers('host="web-1", check=~"disk.*"\nteam!=shop')
  assert.ok(typeof matchers !== 'string')
  assert.deepEqual(matchers.map(written), ['host="web-1"', 'check=~"disk.*"', 'team!="shop"'])
  assert.deepEqual(ofSilence(toSilence(matchers)), matchers.map(written))
  assert.ok(matchesAll({ host: 'web-1', check: 'disk /' }, matchers))
  assert.ok(!matchesAll({ host: 'web-1', check: 'a disk', team: 'ops' }, matchers))
  assert.ok(!matchesAll({ host: 'web-1', check: 'disk', team: 'shop' }, matchers))
  // An absent label is empty, whatever it is called.
  assert.ok(matchesAll({}, [{ name: 'constructor', operator: '=', value: '' }]) && !matchesAll({}, [{ name: 'toString', operator: '=~', value: '.+' }]))
  for (const bad of ['host', 'a=~"("', '"x"=1']) assert.equal(typeof parseMatchers(bad), 'string', bad)
  assert.equal(silenceCommand(matchers.slice(0, 1), 7_200_000, "it's late"), "muster silence add --for 120m --comment 'it'\\''s late' 'host=\"web-1\"'")
  assert.equal(shellWord("it's"), "'it'\\''s'")
})

test('a span is steered by keys, within the week, over days of any length', () => {
  const HOUR = 3_600_000
  // The third day has 25 hours.
  const days = [0, 24, 48, 73, 97].map((hours) => hours * HOUR)
  const span = firstSpan(days, 25.2 * HOUR)
  assert.deepEqual(span, { from: 25.5 * HOUR, to: 26.5 * HOUR })
  assert.deepEqual(firstSpan(days, 500 * HOUR), { from: 9 * HOUR, to: 10 * HOUR })
  const hours = (key: string, isShift = false, from = span): number[] | undefined => {
    const found = steered(from, key, isShift, days)
    return found ? [found.from / HOUR, found.to / HOUR] : undefined
  }
  assert.deepEqual(hours('ArrowDown'), [26, 27])
  assert.deepEqual(hours('ArrowUp', true), [25.5, 26], 'it stays half an hour long')
  assert.deepEqual(hours('ArrowDown', true), [25.5, 27])
  assert.deepEqual(hours('ArrowRight'), [49.5, 50.5])
  assert.deepEqual(hours('ArrowRight', false, { from: 49 * HOUR, to: 50 * HOUR }), [74, 75], 'the same time of the next day')
  assert.deepEqual(hours('ArrowLeft', false, { from: HOUR, to: 2 * HOUR }), [1, 2])
  assert.deepEqual(hours('ArrowUp', false, { from: 0, to: HOUR }), [0, 1])
  assert.deepEqual(hours('ArrowDown', false, { from: 96 * HOUR, to: 97 * HOUR }), [96, 97])
  assert.equal(hours('x'), undefined)
  assert.deepEqual(spanOf(2, 1), { from: 1, to: 2 })
})

test('times of the configuration are said in words', () => {
  assert.equal(periodWords({ weekdays: ['monday:friday', 'sunday'], times: [{ start_time: '09:00', end_time: '17:00' }], location: 'Europe/Berlin' }), 'monday to friday and sunday, 09:00 to 17:00, Europe/Berlin')
  assert.equal(periodWords({ days_of_month: ['-3:-1'], months: ['may'], location: 'UTC' }), 'day -3 to -1, may, UTC')
  assert.equal(periodWords({ location: 'UTC' }), 'always, UTC')
})
