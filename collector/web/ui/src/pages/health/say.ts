// What is said of findings and of the disk. Pure.
import { own } from '../../api/own'
import type { DoctorFinding, MailRow, RuleGroupRun, Status } from '../../api/types'
import { count, duration } from '../../time/format'

const RANK = { problem: 0, warning: 1, ok: 2 } as const

/** What is wrong first; else in the order of the examinations. */
export function byLevel(findings: readonly DoctorFinding[]): readonly DoctorFinding[] {
  return [...findings].sort((a, b) => RANK[a.level] - RANK[b.level])
}

const DAY_S = 86_400

/** When the disk is full if it goes on so. Below a week nobody can wait; below a month somebody should know. */
export function forecast(bytesADay: number | null, fullInSeconds: number | null): { tone: 'ok' | 'warning' | 'critical' | 'off'; text: string } {
  if (bytesADay === null) return { tone: 'off', text: 'when it is full is not known for half an hour' }
  if (fullInSeconds === null) return { tone: 'ok', text: 'does not fill up' }
  return { tone: fullInSeconds < 7 * DAY_S ? 'critical' : fullInSeconds < 30 * DAY_S ? 'warning' : 'ok', text: `full in ${duration(fullInSeconds * 1000)}` }
}

const RANKS = { dead: 0, deferred: 1, sending: 2, queued: 3, within: 4, accepted: 5 } as const
const WORDS = {
  dead: { word: 'given up', tone: 'critical' },
  deferred: { word: 'tried again', tone: 'warning' },
  sending: { word: 'being sent', tone: 'busy' },
  queued: { word: 'waiting', tone: 'busy' },
  within: { word: 'in another', tone: 'off' },
  accepted: { word: 'arrived', tone: 'ok' },
} as const

/** The state of a notice in a word; one of a newer collector as it is. */
export function stateWord(row: Pick<MailRow, 'state'>): { readonly word: string; readonly tone: 'critical' | 'warning' | 'busy' | 'off' | 'ok' } {
  return own<(typeof WORDS)[MailRow['state']]>(WORDS, row.state) ?? { word: row.state, tone: 'off' }
}

/** What was given up first, then what is tried again, the next first; what has ended is last, the newest first. */
export function inOrder(rows: readonly MailRow[]): readonly MailRow[] {
  const rank = (row: MailRow): number => own<number>(RANKS, row.state) ?? 6
  return [...rows].sort((a, b) => rank(a) - rank(b) || (rank(a) < 4 && rank(a) > 0 ? (a.next_ms ?? 0) - (b.next_ms ?? 0) : (b.done_ms ?? b.queued_ms) - (a.done_ms ?? a.queued_ms)) || a.notice - b.notice)
}

/** How soon a certificate ends, and whether somebody must do something: it is renewed by itself well before a week is left. */
export function endsIn(ms: number, now: number): { readonly tone: 'critical' | 'warning' | undefined; readonly text: string } {
  const left = ms - now
  return { tone: left <= 0 ? 'critical' : left < 7 * DAY_S * 1000 ? 'warning' : undefined, text: left <= 0 ? `expired ${duration(-left)} ago` : `for ${duration(left)} more` }
}

/** How far hosts are behind. */
export function lagWords({ known, over_1m: over, over_5m: far }: NonNullable<Status['hosts']['lag']>): string {
  if (known === 0) return 'none known'
  if (over === 0) return `${count(known, 'host')} within 1 m`
  return `${over} of ${count(known, 'host')} older than 1 m${far > 0 ? `, ${far} than 5 m` : ''}`
}

/** A round that did not come for three of its intervals. */
export const isLate = (group: RuleGroupRun, now: number): boolean => group.last_ms !== null && now - group.last_ms > 3 * group.interval_ms

/** Failing groups first, then late ones, then those that take longest of their interval. */
export function worstFirst(groups: readonly RuleGroupRun[], now: number): readonly RuleGroupRun[] {
  return [...groups].sort((a, b) => b.failing - a.failing || Number(isLate(b, now)) - Number(isLate(a, now)) || b.took_ms / b.interval_ms - a.took_ms / a.interval_ms)
}
