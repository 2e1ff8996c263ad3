// What the collector knows of a host's processes, and which moment is asked for. Pure.
import { bytes, count, duration } from '../../time/format'
import type { Range } from '../../url/range'

export interface Process {
  readonly pid: number
  readonly name: string
  readonly command: string
  readonly arguments: number
  readonly user: string
  readonly state: string
  readonly threads: number
  readonly started_ms: number
  readonly cpu_percent: number | null
  readonly rss_bytes: number
  readonly read_bytes_per_second: number | null
  readonly written_bytes_per_second: number | null
}

export interface Look {
  readonly state: 'known' | 'off' | 'unknown'
  readonly note?: string
  readonly kept_ms: number
  readonly looked_at_ms?: number
  readonly span_ms?: number
  readonly interval_ms?: number
  readonly covers?: boolean
  readonly totals?: { readonly seen: number; readonly unseen: number; readonly running: number; readonly blocked: number; readonly zombies: number }
  readonly memory_bytes?: number
  readonly processes: readonly Process[]
}

/** Looks are kept by the minute. */
export const STEP_MS = 60_000
/** Beyond some missed looks the newest one says little of now. */
const OLD_LOOKS = 4

/** The moment that is asked for, ms: the one in the URL, else the end of a chosen span; null: now. */
export function momentOf(at: string, range: Range): number | null {
  const ms = Number(at)
  if (/^\d+$/.test(at) && Number.isSafeInteger(ms)) return ms
  return range.kind === 'span' ? range.to : null
}

/** The moment a step from this one; null: that is now. */
export function stepped(moment: number | null, by: number, now: number): number | null {
  const next = (moment ?? now) + by
  return next >= now ? null : Math.round(next)
}

/** Whether the newest look is so old that it is none of now. */
export function isOld(look: Look, now: number): boolean {
  return look.looked_at_ms !== undefined && now - look.looked_at_ms > OLD_LOOKS * Math.max(look.interval_ms ?? 0, STEP_MS / 2)
}

/** Bytes a second, read and written together; null: neither is known. */
export function ioOf(process: Process): number | null {
  const { read_bytes_per_second: read, written_bytes_per_second: written } = process
  return read === null || written === null ? null : read + written
}

export function rate(value: number | null): string {
  return value === null ? '-' : value === 0 ? '0' : `${bytes(value)}/s`
}

export function cpu(value: number | null): string {
  return value === null ? '-' : `${value < 10 ? value.toFixed(1) : Math.round(value)} %`
}

/** What was called: the command where it says more than the kernel's name; arguments that are not told are counted. */
export function calledOf({ name, command, arguments: more }: Process): string {
  const isWhole = command.includes(' ')
  const told = command === '' || (!isWhole && command === name) ? '' : command
  const hidden = more > 0 && !isWhole && command !== '' ? `+${count(more, 'argument')}` : ''
  return [told, hidden].filter(Boolean).join(' ')
}

/** Of how many processes it tells. */
export function totalsOf({ totals }: Look): string {
  if (!totals) return ''
  const all = totals.seen + totals.unseen
  const parts = [count(all, 'process', 'processes'), `${totals.running} running`]
  if (totals.blocked > 0) parts.push(`${totals.blocked} waiting for a disk`)
  if (totals.zombies > 0) parts.push(count(totals.zombies, 'zombie'))
  if (totals.unseen > 0) parts.push(`${totals.unseen.toLocaleString('en-GB')} of them not looked at: it took too long`)
  return parts.join(', ')
}

/** Over which time shares are taken. */
export function spanOf({ span_ms: ms }: Look): string {
  return ms === undefined ? '' : `over the ${duration(Math.round(ms / 1000) * 1000)} before`
}

/** The next sorting: texts from A on, of anything else the most first when its column was not the one before. */
export function turned(before: string, next: string): string {
  const name = next.replace(/^-/, '')
  const isOther = before.replace(/^-/, '') !== name
  return isOther && !['name', 'user', 'state'].includes(name) ? `-${name}` : next
}
