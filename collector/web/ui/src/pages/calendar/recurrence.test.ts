import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRecurrence, windows } from './recurrence'

// The cases of collector/fleet/src/status/recurrence.rs.
test('windows come by the clock of their zone', () => {
  const cases: [string, string, string, string[]][] = [
    ['sun 02:00-04:00', 'UTC', '2026-11-27T12:00:00Z', ['2026-11-29T02:00:00Z 2026-11-29T04:00:00Z']],
    ['sun 02:00-04:00', 'Asia/Tokyo', '2026-11-27T12:00:00Z', ['2026-11-28T17:00:00Z 2026-11-28T19:00:00Z']],
    ['mon-fri 22:00-06:00', 'Europe/Berlin', '2026-11-27T22:00:00Z', ['2026-11-27T21:00:00Z 2026-11-28T05:00:00Z', '2026-11-30T21:00:00Z 2026-12-01T05:00:00Z']],
    ['daily 03:00-03:30', 'UTC', '2026-11-27T03:29:59Z', ['2026-11-27T03:00:00Z 2026-11-27T03:30:00Z']],
    ['sat-mon 00:00-00:00', 'UTC', '2026-11-27T03:00:00Z', ['2026-11-28T00:00:00Z 2026-11-29T00:00:00Z']],
    ['sun 02:00-04:00', 'Europe/Berlin', '2026-03-28T12:00:00Z', ['2026-03-29T01:00:00Z 2026-03-29T02:00:00Z', '2026-04-05T00:00:00Z 2026-04-05T02:00:00Z']],
    ['sun 02:00-03:00', 'Europe/Berlin', '2026-03-28T12:00:00Z', ['2026-04-05T00:00:00Z 2026-04-05T01:00:00Z']],
    ['sun 02:00-04:00', 'Europe/Berlin', '2026-10-24T12:00:00Z', ['2026-10-25T00:00:00Z 2026-10-25T03:00:00Z']],
  ]
  for (const [text, zone, now, wanted] of cases) {
    const recurrence = parseRecurrence(text, zone)
    if (typeof recurrence === 'string') throw new Error(recurrence)
    const from = Date.parse(now)
    const shown = (ms: number): string => new Date(ms).toISOString().replace('.000', '')
    const found = windows(recurrence, { from, to: from + 15 * 86_400_000 }).map((window) => `${shown(window.from)} ${shown(window.to)}`)
    assert.deepEqual(found.slice(0, wanted.length), wanted, `${text} ${zone} ${now}`)
  }
})

test('other forms are refused with the form wanted', () => {
  for (const bad of ['', 'sun', 'sun 2-4', 'son 02:00-04:00', 'sun 02:00', 'sun 24:00-25:00', 'mon-xyz 01:00-02:00', 'daily +1:00-02:00']) {
    assert.match(String(parseRecurrence(bad, 'UTC')), /mon-fri 22:00-06:00/, bad)
  }
  assert.match(String(parseRecurrence('daily 01:00-02:00', 'Mars/Base')), /IANA/)
})
