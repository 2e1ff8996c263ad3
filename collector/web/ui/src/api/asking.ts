// Questions to hosts and what they answer, as collector/api/openapi.yaml has them.
import type { Cells, TableColumn, TableShape } from './inventory'

export interface AskTable extends TableShape {
  /** Of what changes all the time. */
  readonly is_live: boolean
}
export interface AskedRow {
  readonly values: Cells
  readonly count: number
  readonly on_hosts: number
  /** The first 100. */
  readonly hosts: readonly string[]
}
export interface AskAnswer {
  readonly table: string
  readonly columns: readonly TableColumn[]
  readonly rows: readonly AskedRow[]
  /** Different rows beyond the limit. */
  readonly left_out: number
  readonly asked: number
  readonly answered: number
  readonly missing: readonly { readonly host: string; readonly why: string; readonly problem: string }[]
  readonly notes: readonly { readonly host: string; readonly problem: string }[]
  /** Rows beyond the bounds of hosts and of the collector. */
  readonly dropped: number
  readonly took_ms: number
}
