// Problems: what fires, joined with what is known of the checks behind it, and what has not yet been seen often enough. Pure.
import type { Acknowledgement, Alert, Check, Hold, Labels, Origin, Told } from '../../api/types'
import { lookOf, ofSeverity } from '../../parts/states'

export type Severity = 'CRITICAL' | 'WARNING' | 'UNKNOWN'

export interface Problem {
  readonly id: string
  readonly state: Severity
  readonly kind: Origin['kind']
  readonly name: string
  readonly host: string
  readonly check: string
  readonly labels: Labels
  readonly annotations: Labels
  readonly text: string
  readonly since: number
  readonly holds: readonly Hold[]
  readonly acknowledgement: Acknowledgement | null
  /** Who has taken it, else whom its labels name. */
  readonly owner: string
  /** Bad, and not seen so often yet that it is told of; `1 of 3`. */
  readonly soft: string
  readonly flapping: number | null
  readonly isStale: boolean
  readonly receivers: readonly Told[]
  readonly remedy: string
  readonly expression: string
}

const hostOf = (labels: Labels): string => labels['host'] ?? labels['instance'] ?? ''
const ownerOf = (labels: Labels): string => labels['owner'] ?? labels['team'] ?? ''
const keyOf = (host: string, check: string): string => `${host}\n${check}`

function stateOf(check: Check): Severity {
  const worst = lookOf(check.hard_state).rank >= lookOf(check.state).rank ? check.hard_state : check.state
  return worst === 'OK' ? 'UNKNOWN' : worst
}

function ofAlert(alert: Alert, check: Check | undefined): Problem {
  const { labels, annotations } = alert
  const acknowledgement = check?.acknowledgement ?? null
  return {
    id: alert.id,
    state: check && check.hard_state !== 'OK' ? stateOf(check) : ofSeverity(labels['severity']),
    kind: alert.origin.kind,
    name: labels['alertname'] ?? alert.origin.check ?? alert.origin.kind,
    host: hostOf(labels),
    check: alert.origin.check ?? '',
    labels,
    annotations,
    text: annotations['summary'] || annotations['description'] || check?.output || '',
    since: alert.starts_ms ?? alert.active_ms,
    holds: alert.holds,
    acknowledgement,
    owner: acknowledgement?.by ?? ownerOf(labels),
    soft: '',
    flapping: check?.is_flapping ? check.flapping_percent : null,
    isStale: check?.is_stale ?? false,
    receivers: alert.receivers,
    remedy: check?.remedy || annotations['remedy'] || annotations['runbook_url'] || '',
    expression: alert.expression,
  }
}

/** A check that is bad and of which nothing fires: not yet, or no more. */
function ofCheck(check: Check): Problem {
  return {
    id: `${check.host_id}/${check.check}`,
    state: stateOf(check),
    kind: 'check',
    name: check.check,
    host: check.host,
    check: check.check,
    labels: { host: check.host, check: check.check },
    annotations: {},
    text: check.output,
    since: check.since_ms,
    holds: check.holds,
    acknowledgement: check.acknowledgement,
    owner: check.acknowledgement?.by ?? '',
    soft: check.is_hard ? '' : `${check.attempt} of ${check.max_attempts}`,
    flapping: check.is_flapping ? check.flapping_percent : null,
    isStale: check.is_stale,
    receivers: [],
    remedy: check.remedy,
    expression: '',
  }
}

/** Whether somebody or something has it already, so that nobody need look at once. */
export function isHandled(problem: Problem): boolean {
  return problem.holds.length > 0 || problem.acknowledgement !== null
}

/** All problems: the worst first, then the newest. */
export function problemsOf(alerts: readonly Alert[], checks: readonly Check[]): Problem[] {
  const byKey = new Map(checks.map((check) => [keyOf(check.host_id, check.check), check]))
  const fired = new Set<string>()
  const problems = alerts.map((alert) => {
    const key = keyOf(alert.origin.host_id ?? '', alert.origin.check ?? '')
    fired.add(key)
    return ofAlert(alert, alert.origin.kind === 'check' ? byKey.get(key) : undefined)
  })
  for (const [key, check] of byKey) if (!fired.has(key)) problems.push(ofCheck(check))
  return problems.sort((a, b) => lookOf(b.state).rank - lookOf(a.state).rank || b.since - a.since || (a.id < b.id ? -1 : 1))
}
