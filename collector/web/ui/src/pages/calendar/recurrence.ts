// Times that come again, as collector/fleet/src/status/recurrence.rs has them: `sun 02:00-04:00`, `mon-fri 22:00-06:00`, `daily 03:00-03:30`. Pure.
//
// A window belongs to the day on which it begins. Where clocks are set on, a time that does not exist is as much later; where they are set
// back, the first of two counts. So a window may be an hour longer or shorter, or empty.

const WEEK = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
const DAY_MS = 86_400_000
/** Windows that are drawn at most: those of a year of days, so that a wrong span does not hold the page up. */
const DAYS_MAX = 400

export interface Window {
  readonly from: number
  readonly to: number
}

export interface Recurrence {
  /** Monday first. */
  readonly days: readonly boolean[]
  /** Minutes of the day. */
  readonly from: number
  /** Not after `from`: on the next day. */
  readonly to: number
  readonly zone: string
}

const FORMATS = new Map<string, Intl.DateTimeFormat>()

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = FORMATS.get(zone)
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' })
    FORMATS.set(zone, format)
  }
  return format
}

/** What a clock of the zone shows at this moment, as if it were UTC. */
function wall(ms: number, zone: string): number {
  const found: Record<string, number> = {}
  for (const { type, value } of formatOf(zone).formatToParts(ms)) found[type] = Number(value)
  return Date.UTC(found['year'] ?? 0, (found['month'] ?? 1) - 1, found['day'], found['hour'], found['minute'], found['second'])
}

/** The moment at which a clock of the zone shows this. */
function momentOf(shown: number, zone: string): number {
  const before = wall(shown - DAY_MS, zone) - (shown - DAY_MS)
  const after = wall(shown + DAY_MS, zone) - (shown + DAY_MS)
  const isRight = (offset: number): boolean => wall(shown - offset, zone) === shown
  return shown - (!isRight(before) && isRight(after) ? after : before)
}

function minutes(text: string): number | null {
  const parts = /^(\d{1,2}):(\d{1,2})$/.exec(text.trim())
  const [hour, minute] = [Number(parts?.[1]), Number(parts?.[2])]
  return parts && hour < 24 && minute < 60 ? hour * 60 + minute : null
}

function weekDays(text: string): boolean[] | null {
  const days = WEEK.map(() => false)
  for (const part of text.toLowerCase().split(',')) {
    const [first, last] = part === 'daily' ? [0, 6] : [WEEK.indexOf(part.split('-')[0] ?? ''), WEEK.indexOf(part.split('-').slice(1).join('-') || part)]
    if (first === undefined || last === undefined || first < 0 || last < 0) return null
    for (let at = first; at <= first + ((last + 7 - first) % 7); at += 1) days[at % 7] = true
  }
  return days
}

/** A text says what is wrong. */
export function parseRecurrence(text: string, zone: string): Recurrence | string {
  const wrong = `\`${text}\`: write such as \`sun 02:00-04:00\`, \`mon-fri 22:00-06:00\` or \`daily 03:00-03:30\``
  const parts = /^(\S+) ([^-]*)-(.*)$/.exec(text.trim())
  const days = weekDays(parts?.[1] ?? '')
  const [from, to] = [minutes(parts?.[2] ?? ''), minutes(parts?.[3] ?? '')]
  if (!days || from === null || to === null) return wrong
  try {
    formatOf(zone)
  } catch {
    return `zone \`${zone}\` is unknown: write its IANA name, such as \`Europe/Berlin\` or \`UTC\``
  }
  return { days, from, to, zone }
}

/** Its windows that touch this span, in order. */
export function windows({ days, from, to, zone }: Recurrence, span: Window): Window[] {
  const found: Window[] = []
  const first = Math.floor(wall(span.from, zone) / DAY_MS) - 1
  const last = Math.min(Math.floor(wall(span.to, zone) / DAY_MS), first + DAYS_MAX)
  for (let day = first; day <= last; day += 1) {
    // 1970-01-01 was a Thursday.
    if (!days[(((day + 3) % 7) + 7) % 7]) continue
    const begins = momentOf(day * DAY_MS + from * 60_000, zone)
    const ends = momentOf((to <= from ? day + 1 : day) * DAY_MS + to * 60_000, zone)
    if (begins < ends && ends > span.from && begins < span.to) found.push({ from: begins, to: ends })
  }
  return found
}
