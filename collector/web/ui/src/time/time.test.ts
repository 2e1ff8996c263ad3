import assert from 'node:assert/strict'
import { test } from 'node:test'
import { age, axisTimes, bytes, clockTime, count, dateTime, duration, fromInput, number, parseDuration, percent, shortTime, toInput } from './format'
import { narrow, offset } from './skew'

test('durations are read as the API reads them, and nothing else is', () => {
  const cases: [string, number | null][] = [
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['90d', 7_776_000_000],
    [' 5m ', 300_000],
    ['250ms', 250],
    ['', null],
    ['5', null],
    ['h', null],
    ['1.5h', null],
    ['-1h', null],
    ['1h x', null],
    ['99999999999999999999y', null],
  ]
  for (const [text, expect] of cases) assert.equal(parseDuration(text), expect, text)
})

test('durations are written with what says something', () => {
  const cases: [number, string][] = [
    [0, '0 ms'],
    [999, '999 ms'],
    [40_000, '40 s'],
    [61_000, '1 m 1 s'],
    [600_000, '10 m'],
    [7_500_000, '2 h 5 m'],
    [86_400_000, '1 d'],
    [90_000_000, '1 d 1 h'],
    [30 * 86_400_000, '30 d'],
    [-5000, '-5 s'],
    [NaN, '-'],
  ]
  for (const [ms, expect] of cases) assert.equal(duration(ms), expect, String(ms))
  assert.equal(age(1000, 1500), 'now')
  assert.equal(age(0, 125_000), '2 m 5 s')
  assert.equal(age(60_000, 0), 'in 1 m')
})

test('times are written in UTC where that is asked', () => {
  const ms = Date.UTC(2026, 10, 29, 3, 5, 7, 42)
  assert.equal(dateTime(ms, true), '2026-11-29 03:05:07 UTC')
  assert.equal(clockTime(ms, true), '03:05:07.042')
  assert.equal(shortTime(ms, ms + 1000, true), '03:05')
  assert.equal(shortTime(ms, ms + 86_400_000, true), 'Nov 29 03:05')
  assert.equal(shortTime(ms, ms + 400 * 86_400_000, true), 'Nov 29 2026 03:05')
  assert.equal(dateTime(NaN, true), '-')
  for (const utc of [true, false]) assert.equal(fromInput(toInput(ms, utc), utc), ms - 7042, String(utc))
  assert.equal(fromInput('tomorrow', true), null)
})

test('a time axis is as fine as its distances, and names a day that begins', () => {
  const at = Date.UTC(2026, 10, 29, 22) / 1000
  assert.deepEqual(axisTimes([at, at + 3600, at + 7200], true), ['22:00', '23:00', '11-30 00:00'])
  assert.deepEqual(axisTimes([at, at + 10], true), ['22:00:00', '22:00:10'])
  assert.deepEqual(axisTimes([at, at + 86_400], true), ['11-29', '11-30'])
})

test('numbers keep four places', () => {
  const cases: [number | null, string][] = [
    [null, '-'],
    [NaN, '-'],
    [0, '0'],
    [0.012345, '0.01235'],
    [1234.56, '1235'],
    [12_345, '12.35 k'],
    [-1_234_567, '-1.235 M'],
    [1e30, '1000000000000 E'],
    [0.000012, '1.20e-5'],
    [Infinity, '+Inf'],
  ]
  for (const [value, expect] of cases) assert.equal(number(value), expect, String(value))
  assert.equal(bytes(1536), '1.5 KiB')
  assert.equal(bytes(0), '0 B')
  assert.equal(percent(0.1234), '12.3 %')
  assert.equal(count(1, 'host'), '1 host')
  assert.equal(count(5000, 'host'), '5,000 hosts')
})

test('the clock of the collector is known as well as its answers tell it', () => {
  // A Date of 10 s that was asked at 9.9 s and came at 10.1 s: the own clock may be right.
  let bounds = narrow(null, 10_000, 9_900, 10_100)
  assert.equal(offset(bounds), 0)
  // An hour ahead.
  bounds = narrow(bounds, 3_610_000, 10_000, 10_200)
  const first = offset(bounds)
  assert.ok(Math.abs(first - 3_600_000) < 1000, String(first))
  // More answers cut it down, never beyond what they tell.
  bounds = narrow(bounds, 3_611_000, 11_700, 11_800)
  assert.ok(bounds.high - bounds.low <= 1100)
  // The clock was set back.
  bounds = narrow(bounds, 20_000, 20_100, 20_200)
  assert.equal(offset(bounds), 0)
  assert.equal(offset(null), 0)
})
