// The answers about silences, routes, mail and rules, and those to queries of series and lines; `types` has them too.
import type { Downtime, Hold, Labels, NewSilence } from './types'

/** A silence of `/api/v2/silences`. */
export interface Silence {
  readonly id: string
  readonly matchers: NewSilence['matchers']
  readonly startsAt: string
  readonly endsAt: string
  readonly updatedAt: string
  readonly createdBy: string
  readonly comment: string
  readonly status: { readonly state: 'active' | 'pending' | 'expired' }
}
export interface Downtimes {
  readonly downtimes: readonly Downtime[]
}

/** A time interval of the alerting configuration; what a period does not say is every time. */
export interface MuteInterval {
  readonly name: string
  readonly periods: readonly {
    readonly times?: readonly { readonly start_time: string; readonly end_time: string }[]
    readonly weekdays?: readonly string[]
    readonly days_of_month?: readonly string[]
    readonly months?: readonly string[]
    readonly years?: readonly string[]
    readonly location: string
  }[]
  readonly mutes: readonly { readonly route: string; readonly receiver: string }[]
  readonly activates: readonly { readonly route: string; readonly receiver: string }[]
  readonly is_on: boolean
  readonly next_change_ms: number | null
}
export interface Mutes {
  readonly intervals: readonly MuteInterval[]
}

export interface Explained {
  readonly explanation: {
    readonly labels: Labels
    readonly is_firing: boolean
    readonly holds: readonly Hold[]
    readonly routes: readonly {
      /** Such as `{}/{team="a"}`: the matchers of each route from the root down. */
      readonly route: string
      readonly receiver: string
      readonly group: string
      readonly told_ms: number | null
      readonly next_ms: number | null
      readonly holds: readonly Hold[]
      readonly notes: readonly string[]
    }[]
  }
}
export interface MailPreview {
  readonly receiver?: string
  readonly recipient?: string
  readonly subject: string
  readonly text: string
}
/** A row of the queue of notices: one recipient of one notice. */
export interface MailRow {
  readonly notice: number
  readonly state: 'queued' | 'sending' | 'deferred' | 'accepted' | 'within' | 'dead'
  readonly receiver: string
  readonly recipient: string
  readonly server?: string
  readonly attempts: number
  readonly may_have_arrived?: boolean
  readonly queued_ms: number
  readonly next_ms: number | null
  readonly done_ms?: number | null
  readonly subject: string
  readonly problem: string
}
export interface Mails {
  readonly rows: readonly MailRow[]
}
export interface MailTested {
  readonly sent: readonly { readonly recipient: string; readonly accepted: boolean; readonly answer: string }[]
}
export interface Finding {
  readonly where: string
  readonly level: 'error' | 'warning'
  readonly message: string
  readonly remedy: string
}
/** Of `/api/v2/status`: the settings of alerting, written anew. */
export interface AlertingStatus {
  readonly config: { readonly original: string }
}

/** Prometheus' rules; spans in seconds. */
export interface Rule {
  readonly type: 'alerting' | 'recording'
  readonly name: string
  readonly query: string
  readonly labels: Labels
  readonly annotations?: Labels
  readonly health: 'ok' | 'err' | 'unknown'
  readonly lastError?: string
  readonly lastEvaluation: string
  readonly state?: 'firing' | 'pending' | 'inactive'
  readonly duration?: number
  readonly keepFiringFor?: number
  readonly alerts?: readonly { readonly labels: Labels; readonly state: 'firing' | 'pending'; readonly activeAt: string; readonly value: string }[]
}
export interface RuleGroups {
  readonly data: {
    readonly groups: readonly { readonly name: string; readonly file: string; readonly interval: number; readonly evaluationTime: number; readonly lastEvaluation: string; readonly rules: readonly Rule[] }[]
  }
}
/** Prometheus' answer to a query over a range. */
export interface Matrix {
  readonly data: { readonly result: readonly { readonly metric: Labels; readonly values: readonly (readonly [number, string])[] }[] }
}
/** Loki's answer to a query of lines. */
export interface Streams {
  readonly data: { readonly result: readonly { readonly stream: Labels; readonly values: readonly (readonly [string, string])[] }[] }
}
