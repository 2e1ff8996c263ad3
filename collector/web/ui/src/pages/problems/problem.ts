// Problems as the page has them. Pure.
import type { Acknowledgement, Hold, Labels, Origin, ProblemRow } from '../../api/types'
import { ofSeverity } from '../../parts/states'

export type Severity = 'CRITICAL' | 'WARNING' | 'UNKNOWN'

export interface Problem {
  readonly id: string
  readonly state: Severity
  readonly kind: Origin['kind']
  readonly name: string
  /** Empty where it is of no host. */
  readonly host: string
  readonly hostId: string
  readonly check: string
  readonly labels: Labels
  readonly text: string
  readonly since: number
  readonly holds: readonly Hold[]
  readonly isHandled: boolean
  readonly acknowledgement: Acknowledgement | null
  /** Who has taken it, else whose it is. */
  readonly owner: string
  /** Bad, and not seen so often yet that it is told of; `1 of 3`. */
  readonly soft: string
  readonly isFlapping: boolean
  readonly receivers: readonly string[]
  readonly remedy: string
  readonly group: string
}

function problemOf(row: ProblemRow): Problem {
  return {
    id: row.id,
    state: ofSeverity(row.severity),
    kind: row.kind,
    name: row.title,
    host: row.host ?? '',
    hostId: row.host_id ?? '',
    check: row.check ?? '',
    labels: row.labels,
    text: row.output,
    since: row.since_ms,
    holds: row.holds,
    isHandled: row.handled,
    acknowledgement: row.acknowledgement,
    owner: row.acknowledgement?.by ?? row.owner ?? '',
    soft: row.state === 'soft' ? `${row.attempt ?? '?'} of ${row.max_attempts ?? '?'}` : '',
    isFlapping: row.is_flapping,
    receivers: row.receivers,
    remedy: row.remedy ?? '',
    group: row.group,
  }
}

/** In the API's order: those first that nobody takes care of, then the worst, then the newest. */
export function problemsOf(rows: readonly ProblemRow[]): Problem[] {
  return rows.map(problemOf)
}

/** An address that may be a link: nothing else that a text of others could make one of. */
export function isAddress(text: string): boolean {
  return /^https?:\/\/[^\s]+$/i.test(text)
}
