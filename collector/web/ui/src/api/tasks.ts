// The answers about tasks, as collector/api/openapi.yaml has them.

export type RunState = 'waiting' | 'sent' | 'running' | 'ok' | 'failed' | 'refused' | 'lost' | 'cancelled' | 'skipped'
export type OrderState = 'requested' | 'running' | 'rolling_back' | 'paused' | 'stopping' | 'done' | 'stopped' | 'rolled_back' | 'expired' | 'cancelled'
export type Counts = Readonly<Partial<Record<RunState, number>>>

export interface TaskOrder {
  readonly order: number
  readonly id: string
  readonly task: string
  /** The task that takes it back. */
  readonly back: string | null
  readonly state: OrderState
  /** 0: the task; 1: what takes it back. */
  readonly step: number
  /** Of the step, from 0. */
  readonly wave: number
  readonly wave_size: number
  readonly why: string | null
  readonly hosts: number
  readonly counts: Counts
  readonly back_counts: Counts
  readonly failures: number
  readonly failures_max: number
  readonly canary: number
  /** A number of hosts, or a share of all. */
  readonly batch: string
  readonly on_trouble: 'pause' | 'stop' | 'roll_back'
  readonly soak_ms: number
  readonly return_ms: number
  readonly by: string
  readonly reason: string | null
  readonly made_ms: number
  readonly changed_ms: number
  readonly expires_ms: number
  readonly back_expires_ms: number | null
  /** Hosts are in a maintenance meanwhile, and health may take so long to return; null: they are in none. Then the same while it is taken back. */
  readonly maintenance_ms: number | null
  readonly back_maintenance_ms: number | null
  /** Why they are in none although they are to be. */
  readonly unmaintained: string | null
  /** Approvals that it needs. */
  readonly needs: number
  readonly approvals: readonly { readonly approver: string; readonly by: string; readonly at_ms: number; readonly verified: boolean }[]
  /** What is signed. */
  readonly text: string
}
export interface TaskOrders {
  /** Why nothing is sent to anybody; null: it is. */
  readonly paused: string | null
  readonly orders: readonly TaskOrder[]
}

export interface TaskRun {
  readonly state: RunState
  /** The wave that it was sent with; null: it was not. */
  readonly wave: number | null
  readonly sent_ms: number | null
  readonly began_ms: number | null
  readonly ended_ms: number | null
  readonly exit: number | null
  /** Whether the host has been well since; null: not known yet. */
  readonly well: boolean | null
  readonly why: string | null
  readonly output_bytes: number
  readonly kept_bytes: number
}
export interface TaskHost {
  readonly id: string
  /** null: it is gone. */
  readonly host: string | null
  readonly run: TaskRun
  readonly back: TaskRun | null
}
/** What an order opened for the hosts of a wave. */
export interface TaskMaintenance {
  readonly id: number
  readonly state: 'open' | 'settling' | 'not_recovered' | 'closed'
  readonly reference: string | null
  readonly ends_ms: number
  readonly unreturned: readonly { readonly host: string; readonly check: string | null; readonly text: string }[]
}
export interface TaskOrderHosts {
  readonly order: TaskOrder
  readonly hosts: readonly TaskHost[]
  /** Newest first. */
  readonly maintenances: readonly TaskMaintenance[]
}
export interface TaskOutput {
  readonly host: string | null
  readonly step: number
  readonly text: string
  readonly output_bytes: number
  readonly dropped_bytes: number
}

export interface TaskDefinition {
  readonly task: string
  readonly about: string
  readonly argv: readonly string[]
  readonly account: string
  readonly timeout_ms: number
  readonly maintenance_ms: number | null
  readonly parameters: readonly { readonly name: string; readonly kind: string }[]
}
export interface TaskCatalogue {
  readonly catalogue_version: number
  readonly digest: string
  /** The collector's name of the key that signed it; null: it knows none. */
  readonly signer: string | null
  readonly by: string
  readonly added_ms: number
  readonly expires_ms: number
  readonly tasks: readonly TaskDefinition[]
  /** Hosts on which it is in force. */
  readonly taken: number
  readonly refused: readonly { readonly id: string; readonly host: string | null; readonly why: string }[]
  readonly document: string
}
