// What is said of findings and of the disk. Pure.
import type { DoctorFinding } from '../../api/types'
import { duration } from '../../time/format'

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
