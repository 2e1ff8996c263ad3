// Whether two questions are the same one but for the time, which goes on while a page is open. Pure.
import type { Params } from '../url/link'

export type Question = readonly [path: string, params?: Params]

/** Parameters that say of which time something is asked, in seconds or nanoseconds. */
const TIMES = ['start', 'end', 'time'] as const

/** A question about one moment is the same one for so long; in seconds. */
const MOMENT_S = 3600

function split(params: Params = {}): { rest: string; times: (number | null)[] } {
  const rest = Object.fromEntries(Object.entries(params).filter(([name]) => !(TIMES as readonly string[]).includes(name)))
  const times = TIMES.map((name) => {
    const value = params[name]
    if (value === null || value === undefined || Array.isArray(value)) return null
    const at = Number(value)
    // Nanoseconds, as the API of logs has them.
    return at > 1e15 ? at / 1e9 : at
  })
  return { rest: JSON.stringify(rest), times }
}

/** What answered `before` still says something about `after`: all but the time is equal, and spans of the same length overlap. */
export function isAkin(before: Question | null, after: Question | null): boolean {
  if (!before || !after || before[0] !== after[0]) return false
  const [a, b] = [split(before[1]), split(after[1])]
  if (a.rest !== b.rest) return false
  const [start, end, time] = a.times
  const [newStart, newEnd, newTime] = b.times
  if (time != null || newTime != null) return time != null && newTime != null && Math.abs(time - newTime) <= MOMENT_S
  if (start == null || end == null || newStart == null || newEnd == null) return start === newStart && end === newEnd
  // Ends are whole steps: a span may be a step longer or shorter than before.
  const [length, moved] = [end - start, Math.abs(newEnd - end)]
  return Math.abs(newEnd - newStart - length) <= Math.max(60, length / 50) && moved < length
}
