// The answers about profiles, roll-outs and configurations, as collector/api/openapi.yaml has them.

export type RolloutState = 'running' | 'stopped' | 'done' | 'superseded' | 'reverted'
export type ConfigurationWord = 'none' | 'in_force' | 'trial' | 'refused' | 'reverted' | 'disabled'

export interface Profile {
  readonly name: string
  readonly source: 'built_in' | 'api' | 'file'
  readonly file: string | null
  readonly description: string
  readonly accept: 'auto' | 'propose'
  readonly has_selector: boolean
  readonly include: readonly string[]
  readonly logs: number
  readonly checks: number
  readonly has_rules: boolean
  readonly hides: readonly string[]
  readonly hidden_by?: string | null
  readonly hosts: number
  readonly fits: number
  readonly assigned: number
  readonly problem?: string | null
  /** YAML; of one profile alone. */
  readonly text?: string
}
export interface ProfileList {
  readonly profiles: readonly Profile[]
  /** The version that holds. */
  readonly set: number
}
export interface Rollout {
  readonly set: number
  readonly base: number
  readonly state: RolloutState
  /** 0: one host, 1: 5 %, 2: all. */
  readonly wave: number
  readonly reason: string | null
  readonly by: string
  readonly begun_ms: number
  readonly changed_ms: number
  readonly hosts: number
  readonly good: number
  readonly failed: readonly { readonly id: string; readonly host: string | null; readonly problem: string; readonly at_ms: number }[]
}
export interface ProfilePlan {
  readonly base: number
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
  readonly hosts: number
  readonly shown: readonly { readonly id: string; readonly name: string; readonly diff: string }[]
  readonly unable: readonly string[]
  readonly rules: readonly string[]
  readonly problems: readonly string[]
  readonly rollout: Rollout | null
}
export interface ProfileVersion {
  readonly set: number
  readonly made_ms: number
  readonly by: string
  readonly reason: string
}
export interface Assignment {
  readonly host: string
  readonly profile: string
  readonly by: string
  readonly reason: string
  readonly made_ms: number
}
export interface HostConfiguration {
  readonly number: number
  readonly document: string
  readonly set: number
  readonly profiles: readonly string[]
  /** They fit, and are only proposed. */
  readonly proposed: readonly string[]
  readonly checks: readonly { readonly name: string; readonly of: string }[]
  /** What was left out of it. */
  readonly problems: readonly string[]
  /** Why it has an older one. */
  readonly set_back?: string | null
  readonly told?: { readonly word: ConfigurationWord; readonly in_force: string | null; readonly offered: string | null; readonly problems: readonly string[]; readonly at_ms: number } | null
  /** Whether its agent takes configurations; null: not connected. */
  readonly reads?: boolean | null
}

const KINDS = /^(profile|rollout|configuration|item)_|^profiles_applied$/

/** Whether news of events tell that profiles, roll-outs or configurations are otherwise. */
export function tellsProfiles(changed: readonly unknown[]): boolean {
  return changed.some((event) => KINDS.test(String((event as { kind?: unknown } | null)?.kind)))
}
