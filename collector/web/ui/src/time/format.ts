// Times, ages, durations and numbers as texts. Nothing here reads a clock.

const UNITS: readonly (readonly [string, number])[] = [
  ['y', 31_536_000_000],
  ['w', 604_800_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]

/** Milliseconds of `90s`, `1h30m`, `2d`; null: it is no duration. */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim()
  if (!/^(\d+(ms|[ywdhms]))+$/.test(trimmed)) return null
  let total = 0
  for (const [, digits, unit] of trimmed.matchAll(/(\d+)(ms|[ywdhms])/g)) {
    total += Number(digits) * (UNITS.find(([name]) => name === unit)?.[1] ?? 0)
  }
  return Number.isSafeInteger(total) ? total : null
}

/** `2 h 5 m`: the largest unit, and the next one while it says something. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return '-'
  const sign = ms < 0 ? '-' : ''
  let rest = Math.abs(ms)
  if (rest < 1000) return `${sign}${Math.round(rest)} ms`
  const units = UNITS.filter(([name]) => name !== 'w' && name !== 'ms')
  for (const [number, [name, size]] of units.entries()) {
    if (rest < size) continue
    const whole = Math.floor(rest / size)
    rest -= whole * size
    const next = units[number + 1]
    const more = next && whole < 10 && name !== 's' ? Math.floor(rest / next[1]) : 0
    return sign + `${whole} ${name}` + (more > 0 && next ? ` ${more} ${next[0]}` : '')
  }
  return `${sign}0 s`
}

/** How long ago: `now`, `40 s`, `3 m`, `2 h 5 m`. What lies ahead by less than a second is now; more is said. */
export function age(ms: number, now: number): string {
  const past = now - ms
  if (Math.abs(past) < 1000) return 'now'
  return past < 0 ? `in ${duration(-past)}` : duration(past)
}

const two = (n: number): string => String(n).padStart(2, '0')

interface Parts {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  ms: number
}

function parts(ms: number, utc: boolean): Parts {
  const date = new Date(ms)
  return utc
    ? { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate(), hour: date.getUTCHours(), minute: date.getUTCMinutes(), second: date.getUTCSeconds(), ms: date.getUTCMilliseconds() }
    : { year: date.getFullYear(), month: date.getMonth() + 1, day: date.getDate(), hour: date.getHours(), minute: date.getMinutes(), second: date.getSeconds(), ms: date.getMilliseconds() }
}

/** `2026-11-29 13:05:40`, with ` UTC` where it is. */
export function dateTime(ms: number, utc: boolean): string {
  if (!Number.isFinite(ms)) return '-'
  const p = parts(ms, utc)
  return `${p.year}-${two(p.month)}-${two(p.day)} ${two(p.hour)}:${two(p.minute)}:${two(p.second)}${utc ? ' UTC' : ''}`
}

/** `13:05:40.123`, for log lines. */
export function clockTime(ms: number, utc: boolean): string {
  const p = parts(ms, utc)
  return `${two(p.hour)}:${two(p.minute)}:${two(p.second)}.${String(p.ms).padStart(3, '0')}`
}

/** `13:05` of today, `Nov 29 13:05` of another day, with the year where it is another. */
export function shortTime(ms: number, now: number, utc: boolean): string {
  const [p, today] = [parts(ms, utc), parts(now, utc)]
  const time = `${two(p.hour)}:${two(p.minute)}`
  if (p.year === today.year && p.month === today.month && p.day === today.day) return time
  const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][p.month - 1]
  return p.year === today.year ? `${month} ${p.day} ${time}` : `${month} ${p.day} ${p.year} ${time}`
}

/** Texts of a time axis, for seconds since 1970 at even distances: as fine as these need, the day where another one begins. */
export function axisTimes(seconds: readonly number[], utc: boolean): string[] {
  const distance = (seconds[1] ?? 0) - (seconds[0] ?? 0)
  let day = ''
  return seconds.map((one, at) => {
    const p = parts(one * 1000, utc)
    const today = `${p.year}-${two(p.month)}-${two(p.day)}`
    const isNew = today !== day && at > 0
    day = today
    if (distance >= 86_400) return today.slice(5)
    const time = `${two(p.hour)}:${two(p.minute)}` + (distance < 60 ? `:${two(p.second)}` : '')
    return isNew ? `${today.slice(5)} ${time}` : time
  })
}

/** `2026-11-29T13:05` as inputs of type datetime-local have it. */
export function toInput(ms: number, utc: boolean): string {
  const p = parts(ms, utc)
  return `${p.year}-${two(p.month)}-${two(p.day)}T${two(p.hour)}:${two(p.minute)}`
}

/** What such an input has, in milliseconds; null: nothing that is a time. */
export function fromInput(text: string, utc: boolean): number | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text)) return null
  const ms = Date.parse(utc ? `${text}Z` : text)
  return Number.isNaN(ms) ? null : ms
}

/** A number for reading: 4 places, with a prefix from 10,000 on: `12.3 k`, `0.0123`. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '-'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  const size = Math.abs(value)
  if (size !== 0 && size < 0.0001) return value.toExponential(2)
  if (size < 10_000) return String(Number(value.toPrecision(4)))
  const prefixes = ['', ' k', ' M', ' G', ' T', ' P', ' E']
  const place = Math.min(Math.floor(Math.log10(size) / 3), prefixes.length - 1)
  return Number((value / 1000 ** place).toPrecision(4)) + (prefixes[place] ?? '')
}

/** Bytes in units of 1024: `1.5 GiB`. */
export function bytes(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let [rest, place] = [Math.abs(value), 0]
  while (rest >= 1024 && place < units.length - 1) {
    rest /= 1024
    place += 1
  }
  return `${value < 0 ? '-' : ''}${Number(rest.toPrecision(3))} ${units[place]}`
}

/** `0.123` is `12.3 %`. */
export function percent(share: number): string {
  return Number.isFinite(share) ? `${Number((share * 100).toPrecision(3))} %` : '-'
}

/** `1 host`, `3 hosts`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en-GB')} ${n === 1 ? one : many}`
}
