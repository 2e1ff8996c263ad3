// The API's answers, as collector/api/openapi.yaml has them. Times ending in _ms are milliseconds since 1970 UTC.
import type { DeployState, GateReason, Verdict } from './deploys'
import type { ItemState } from './discovery'
import type { ConfigurationWord, RolloutState } from './profiles'
import type { OrderState, RunState } from './tasks'

export type Labels = Readonly<Record<string, string>>

/** What the live stream tells of. */
export const TOPICS = ['alerts', 'checks', 'hosts', 'silences', 'downtimes', 'maintenances', 'events', 'discovery', 'deploys', 'tasks'] as const
export type Topic = (typeof TOPICS)[number]

/** One message of the live stream. */
export interface LiveMessage {
  readonly version: number
  /** What is new or otherwise. */
  readonly changed: readonly unknown[]
  /** Ids of what is no more. */
  readonly gone: readonly string[]
  /** Of `resync`: which topics to load anew; absent: all. */
  readonly topics?: readonly Topic[]
}

export type CheckState = 'OK' | 'WARNING' | 'CRITICAL' | 'UNKNOWN'
export type Presence = 'up' | 'silent' | 'unreachable' | 'rebooting' | 'agent_stopped'
export type AlertState = 'pending' | 'firing' | 'resolved'
/** Any state that a mark can show. */
export type AnyState = CheckState | Presence | AlertState | ItemState | RolloutState | ConfigurationWord | DeployState | OrderState | RunState | Verdict | GateReason['effect'] | 'on' | 'off'

export type Why =
  | 'acknowledged'
  | 'downtime'
  | 'host_absent'
  | 'parent_down'
  | 'flapping'
  | 'catching_up'
  | 'expected_absence'
  | 'maintenance'
  | 'inhibited'
  | 'mute_time'
  | 'silenced'
  | 'no_data'
  | 'storm'

/** One reason for which something is not told. */
export interface Hold {
  readonly why: Why
  readonly by: string
  readonly until_ms: number | null
}

export interface Acknowledgement {
  readonly by: string
  readonly comment: string
  readonly at_ms: number
  readonly until_ms: number | null
  readonly sticky: boolean
}

export interface Perfdata {
  readonly label: string
  readonly value: number | null
  readonly unit: string
  readonly warn: string
  readonly crit: string
  readonly min: number | null
  readonly max: number | null
}

export interface Check {
  readonly host: string
  readonly host_id: string
  readonly check: string
  readonly kind: string | null
  readonly state: CheckState
  readonly hard_state: CheckState
  readonly is_hard: boolean
  readonly attempt: number
  readonly max_attempts: number
  readonly since_ms: number
  readonly hard_since_ms: number
  readonly at_ms: number | null
  readonly arrived_ms: number | null
  readonly is_live: boolean
  readonly is_stale: boolean
  readonly stale_ms: number | null
  readonly output: string
  readonly long_output: string
  readonly perfdata: readonly Perfdata[]
  readonly duration_ms: number
  readonly interval_ms: number
  readonly parents: readonly string[]
  readonly remedy: string
  readonly is_flapping: boolean
  readonly flapping_percent: number
  readonly acknowledgement: Acknowledgement | null
  readonly holds: readonly Hold[]
}
export interface Checks {
  readonly checks: readonly Check[]
}

export interface Told {
  readonly receiver: string
  readonly told_ms: number | null
  readonly next_ms: number | null
  readonly storm: boolean
}

export interface Origin {
  readonly kind: 'rule' | 'check' | 'host' | 'fleet' | 'maintenance' | 'pushed'
  readonly host_id?: string
  readonly check?: string
  readonly file?: string
  readonly group?: string
  readonly rule?: string
  readonly by?: string
}

export interface Alert {
  readonly id: string
  readonly state: AlertState
  readonly labels: Labels
  readonly annotations: Labels
  readonly origin: Origin
  readonly active_ms: number
  readonly starts_ms: number | null
  readonly ends_ms: number | null
  readonly updated_ms: number
  readonly value: number | null
  readonly expression: string
  readonly receivers: readonly Told[]
  readonly holds: readonly Hold[]
}
export interface Alerts {
  readonly alerts: readonly Alert[]
}

/** A row of the problems: an alert that fires, or a check that is bad and not confirmed yet (`soft`). */
export interface ProblemRow {
  readonly id: string
  readonly kind: Origin['kind']
  readonly state: 'firing' | 'soft'
  readonly title: string
  readonly host: string | null
  readonly host_id: string | null
  readonly check: string | null
  readonly severity: string
  readonly check_state: CheckState | null
  readonly attempt: number | null
  readonly max_attempts: number | null
  readonly since_ms: number
  /** Label owner, else team, else who was told, else who will be. */
  readonly owner: string | null
  readonly receivers: readonly string[]
  readonly is_flapping: boolean
  readonly acknowledgement: Acknowledgement | null
  readonly holds: readonly Hold[]
  /** A person or another problem that is shown takes care of it. */
  readonly handled: boolean
  readonly value: number | null
  readonly output: string
  /** Words or an address. */
  readonly remedy: string | null
  readonly labels: Labels
  /** `incident/N`, else `name/ALERT` or `name/ALERT/SERVICE`. */
  readonly group: string
  readonly incident: number | null
}
export interface Freshness {
  readonly newest_arrival_ms: number | null
  readonly rules_ms: number
  readonly hosts: Readonly<Record<'active' | 'heard' | 'silent' | 'unreachable' | 'stopped' | 'rebooting' | 'unheard' | 'pending', number>>
}
export interface Problems {
  readonly now_ms: number
  readonly unhandled: number
  readonly problems: readonly ProblemRow[]
  readonly freshness: Freshness
}

export interface AckRows {
  readonly acknowledged?: number
  readonly rows: readonly { readonly host: string; readonly check: string | null; readonly error: string | null }[]
}

export interface FleetRow {
  readonly id: string
  readonly name: string
  readonly state: HostState
  readonly presence: Presence | null
  /** Since when it is there or away. */
  readonly since_ms: number
  readonly labels: Labels
  readonly agent_version: string
  readonly last_arrival_ms: number | null
  /** How far the newest of its samples is behind the collector's clock. */
  readonly lag_ms: number | null
  readonly checks: { readonly worst: CheckState | null; readonly ok: number; readonly warning: number; readonly critical: number; readonly unknown: number }
  readonly problems: number
  readonly unhandled: number
  /** A character a piece of time, oldest first. */
  readonly strip: string
}
export interface Fleet {
  readonly now_ms: number
  readonly strip: { readonly from_ms: number; readonly bucket_ms: number; readonly buckets: number; readonly states: Readonly<Record<string, string>> }
  readonly hosts: readonly FleetRow[]
}

export type HostState = 'pending' | 'active' | 'retired' | 'quarantined'

export interface Facts {
  readonly host_name?: string
  readonly os?: string
  readonly kernel?: string
  readonly architecture?: string
  readonly processors?: number
  readonly memory_bytes?: number
  readonly virtualisation?: string
}

export interface Host {
  readonly id: string
  readonly name: string
  readonly labels: Labels
  readonly state: HostState
  readonly reason: string
  readonly presence: Presence | null
  readonly last_arrival_ms: number | null
  readonly agent_version: string
  readonly machine_id: string
  readonly boot_id: string
  readonly facts: Facts
  readonly peer: string
  readonly asked_ms: number
  readonly enrolled_ms: number | null
  readonly last_hello_ms: number | null
  readonly replaced_ms: number | null
  readonly retired_ms: number | null
  readonly serial: string | null
  readonly certificate_expires_ms: number | null
  readonly ephemeral: string | null
  readonly of: string | null
  readonly waiting_key: string | null
}
export interface Hosts {
  readonly hosts: readonly Host[]
}

/** A reading of the collector itself: one row of its /metrics. */
export interface Reading {
  readonly name: string
  readonly help: string
  readonly labels: Labels
  readonly value: number
}
export interface Trouble {
  readonly message: string
  readonly where: string
  readonly remedy: string
}
/** How a group of rules did last. */
export interface RuleGroupRun {
  readonly file: string
  readonly name: string
  readonly interval_ms: number
  readonly last_ms: number | null
  readonly took_ms: number
  readonly failing: number
  readonly missed: number
}
export interface Status {
  readonly collector: {
    readonly version: string
    readonly started_ms: number
    readonly uptime_seconds: number
    readonly is_ready: boolean
    readonly problems: readonly Trouble[]
  }
  readonly addresses: { readonly http: string; readonly agents: string }
  readonly hosts: {
    readonly by_state: Readonly<Record<string, number>>
    readonly by_presence: Readonly<Record<string, number>>
    /** By how far the newest of their samples is behind; those over 5 min are among those over 1 min. */
    readonly lag?: { readonly known: number; readonly over_1m: number; readonly over_5m: number }
  }
  readonly ca?: { readonly expires_ms: number | null }
  readonly rule_groups?: readonly RuleGroupRun[]
  readonly restored?: { readonly from_ms: number; readonly to_ms: number; readonly text: string } | null
  readonly rules_ms: number
  readonly storage: {
    readonly kinds: readonly { readonly kind: 'metrics' | 'logs' | 'events'; readonly bytes: number | null; readonly segments: number | null; readonly rows: number | null; readonly retention_seconds: number }[]
    readonly inbox_bytes: number | null
    readonly disk_free_bytes: number | null
    readonly disk_size_bytes: number | null
    readonly free_bytes_a_day: number | null
    readonly full_in_seconds: number | null
  }
  readonly mail: { readonly waiting: number; readonly waiting_bytes: number; readonly oldest_ms: number | null; readonly dead: number; readonly sending?: number; readonly retrying?: number }
  readonly https?: { readonly pin: string; readonly ca_pem: string; readonly is_own_ca: boolean; readonly names: readonly string[]; readonly addresses: readonly string[]; readonly expires_ms: number } | null
  readonly snapshots: { readonly count: number; readonly newest_ms: number | null; readonly newest_bytes: number | null; readonly is_running: boolean; readonly problem: string | null }
  readonly drops: readonly Reading[]
  readonly numbers: readonly Reading[]
}

export interface DoctorFinding {
  readonly level: 'ok' | 'warning' | 'problem'
  readonly examination: string
  readonly what: string
  readonly where: string
  /** Commands, or lines of a file. */
  readonly remedy: string
}
export interface Doctor {
  readonly collector_version: string
  readonly settings: string
  readonly findings: readonly DoctorFinding[]
}

export interface Snapshots {
  readonly folder: string
  readonly running: { readonly id: string; readonly done_bytes: number; readonly total_bytes: number } | null
  readonly ended: { readonly id: string; readonly folder: string; readonly at_ms: number; readonly problem: string | null } | null
  readonly snapshots: readonly {
    readonly id: string
    readonly made_ms: number
    readonly size_bytes: number
    readonly samples: number
    readonly lines: number
    readonly ca_keys: string
    readonly collector: string
    readonly problem: string | null
  }[]
}

export interface Downtime {
  readonly id: number
  readonly state: 'pending' | 'active' | 'ended'
  readonly matchers: readonly string[]
  readonly starts_ms: number
  readonly ends_ms: number
  readonly every: string | null
  readonly zone: string | null
  readonly by: string
  readonly reason: string
  /** Hosts that it is about beside those that match: of a maintenance. */
  readonly hosts?: readonly string[]
}

/** What `/api/v2/silences` takes: Alertmanager's form. */
export interface NewSilence {
  readonly matchers: readonly { readonly name: string; readonly value: string; readonly isRegex: boolean; readonly isEqual: boolean }[]
  readonly startsAt: string
  readonly endsAt: string
  readonly createdBy: string
  readonly comment: string
}

export interface Event {
  readonly id: string
  readonly ms: number
  readonly kind: string
  readonly host: string | null
  readonly host_name: string
  readonly text: string
  readonly by: string
  readonly fields: Labels
}
export interface Events {
  readonly events: readonly Event[]
}

export type * from './alerting'
export type * from './people'
