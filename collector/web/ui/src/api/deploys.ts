// The answers about services, deploys, freezes and the gate, as collector/api/openapi.yaml has them.

export type DeployState = 'running' | 'ok' | 'failed' | 'rolled_back' | 'abandoned'
export type DeploySource = 'api' | 'github' | 'gitlab' | 'package'
export type Verdict = 'go' | 'no-go' | 'unknown'

export interface Deploy {
  readonly id: number
  readonly service: string
  readonly version: string
  readonly env: string
  readonly state: DeployState
  readonly source: DeploySource
  /** Names; null: all that the service has there. */
  readonly hosts: readonly string[] | null
  readonly started_ms: number
  readonly ended_ms: number | null
  readonly by: string
  readonly link: string | null
  readonly note: string | null
  readonly key: string | null
  readonly package: string | null
  /** Of one that was recognised: what announced the change. */
  readonly announced: string | null
  readonly unannounced: boolean
  /** The freeze that was on when it began, and the number of what had lifted it. */
  readonly freeze: string | null
  readonly override: number | null
}
export interface DeployList {
  readonly deploys: readonly Deploy[]
  readonly next: number | null
}

export interface Freeze {
  readonly id: string
  readonly matchers: readonly string[]
  readonly from_ms: number | null
  readonly to_ms: number | null
  readonly every: string | null
  readonly zone: string | null
  readonly reason: string
  readonly source: 'api' | 'file'
  readonly file: string | null
  readonly by: string | null
  readonly made_ms: number | null
  readonly is_on: boolean
  /** When it begins or ends next; null: not within two weeks. */
  readonly next_ms: number | null
}
export interface FreezeList {
  readonly freezes: readonly Freeze[]
}
export interface FreezeOverride {
  readonly id: number
  readonly freeze: string
  readonly service: string
  readonly env: string
  readonly reason: string
  readonly by: string
  readonly from_ms: number
  readonly until_ms: number
}
/** What freezes a service in an environment now. */
export interface Frozen {
  readonly freeze: Freeze
  readonly until_ms: number | null
  readonly override: FreezeOverride | null
}

export interface SeenVersion {
  readonly version: string
  /** Those that have it now. */
  readonly hosts: readonly string[]
  readonly since_ms: number | null
  /** Since when all hosts have it; null: not all do. */
  readonly whole_ms: number | null
  readonly soaked_ms: number
  readonly has_failed: boolean
  readonly source: DeploySource
}
export interface ServiceEnvironment {
  readonly env: string
  readonly hosts: number
  readonly after: readonly string[] | null
  readonly soak_ms: number | null
  /** The one that was deployed last first. */
  readonly versions: readonly SeenVersion[]
  readonly running: readonly number[]
  readonly frozen: Frozen | null
}
export interface Service {
  readonly name: string
  readonly hosts: readonly string[]
  readonly units: readonly string[]
  readonly checks: readonly string[]
  readonly streams: readonly string[]
  readonly packages: readonly string[]
  readonly repositories: readonly string[]
  readonly rates: readonly { readonly name: string; readonly bad: string; readonly all: string }[]
  readonly environments: readonly ServiceEnvironment[]
  /** Its hosts without the label env. */
  readonly outside: number
}
export interface ServiceList {
  /** null: there is none. */
  readonly file: string | null
  readonly services: readonly Service[]
}

export interface GateReason {
  readonly code: string
  readonly effect: 'no-go' | 'unknown' | 'told'
  readonly text: string
  /** Path and query of a page. */
  readonly evidence: string
  readonly waivable: boolean
  readonly lifted: boolean
}
export interface GateDecision {
  readonly verdict: Verdict
  readonly reasons: readonly GateReason[]
  readonly decision: { readonly id: number; readonly at_ms: number; readonly by?: string; readonly service: string; readonly version: string; readonly to: string; readonly rollback: boolean }
}
export interface GateReplay extends GateDecision {
  readonly same: boolean
  readonly again: { readonly verdict: Verdict; readonly reasons: readonly GateReason[] }
}
export interface GateHead {
  readonly id: number
  readonly at_ms: number
  readonly by: string
  readonly service: string
  readonly version: string
  readonly to: string
  readonly rollback: boolean
  readonly verdict: Verdict
  readonly codes: readonly string[]
  readonly lifted: readonly string[]
  readonly override_by: string | null
}
export interface GateHeads {
  readonly decisions: readonly GateHead[]
}
