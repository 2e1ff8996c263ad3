// The answers about what hosts have and are, and how that changed, as collector/api/openapi.yaml has them.

/** A value of a row; null: not known, or there is none. */
export type Cell = string | number | null
export type Cells = readonly Cell[]

export interface TableColumn {
  readonly name: string
  /** `time`: seconds since 1970. */
  readonly kind: 'text' | 'integer' | 'time'
}
/** A table of the inventory. */
export interface TableShape {
  readonly table: string
  /** One row, to people. */
  readonly one: string
  readonly columns: readonly TableColumn[]
  /** So many of the first columns say which thing a row is. */
  readonly keys: number
}
export interface TableShapes {
  readonly tables: readonly TableShape[]
}

export type ChangeKind = 'added' | 'removed' | 'changed'
/** It happened after `after_ms` and not after `until_ms`: between two looks. */
export interface Change {
  readonly host: string
  readonly host_id: string
  readonly table: string
  readonly kind: ChangeKind
  readonly words: string
  readonly after_ms: number
  readonly until_ms: number
  readonly arrived_ms: number
  readonly key: Cells
  readonly before: Cells | null
  readonly after: Cells | null
  /** false: only columns changed that change all the time. */
  readonly is_news: boolean
}
export interface ChangeList {
  readonly changes: readonly Change[]
  /** What the next page is asked with; null: there are no older ones. */
  readonly next: string | null
}

/** What is known of one table of a host. */
export interface KnownTable {
  readonly table: string
  readonly one: string
  readonly rows: number
  /** Since when every moment can be told; null: never whole. */
  readonly known_from_ms: number | null
  readonly seen_ms: number
  readonly age_ms: number
  readonly changed_ms: number
  /** Rows that are left out since there are too many. */
  readonly dropped: number
  /** Why the last look did not tell it. */
  readonly problem: string | null
}
export interface HostTables {
  readonly host: string
  readonly tables: readonly KnownTable[]
  /** Why there are none. */
  readonly note?: string
}

/** Since when a row is as it is: between the two; `after_ms` null: at least since `until_ms`. */
export interface RowSince {
  readonly after_ms: number | null
  readonly until_ms: number
}
export interface TableRows extends TableShape {
  readonly host: string
  readonly at_ms: number | null
  readonly rows: readonly Cells[]
  readonly since?: readonly (RowSince | null)[]
}

export interface SqlAnswer {
  readonly columns: readonly string[]
  readonly rows: readonly Cells[]
  /** There are more rows. */
  readonly cut: boolean
  readonly at_ms: number | null
}

export interface ComparedRow {
  readonly key: Cells
  /** null: it is not there. */
  readonly one: Cells | null
  readonly other: Cells | null
}
export interface ComparedTable extends TableShape {
  /** false: it is not known on one of the sides. */
  readonly known: boolean
  readonly rows: readonly ComparedRow[]
}
export interface Side {
  readonly host: string
  readonly at_ms: number | null
}
export interface Compared {
  readonly one: Side
  readonly other: Side
  readonly tables: readonly ComparedTable[]
}

/** Whether news of events tell of a change: of others the feed need not ask again. */
export function tellsChange(changed: readonly unknown[]): boolean {
  return changed.some((event) => (event as { kind?: unknown } | null)?.kind === 'inventory_change')
}

/** What a host has otherwise than expected; null: it has no such row. */
export interface OtherRow {
  readonly host: string
  readonly host_id: string
  readonly row: Cells | null
  readonly columns: readonly string[]
}
export interface DriftKey {
  readonly key: Cells
  /** Null in columns that do not count; null: there ought to be no such row. */
  readonly expected: Cells | null
  readonly others: readonly OtherRow[]
  readonly left_out: number
}
export interface DriftTable extends TableShape {
  /** Hosts of the group of which it is known. */
  readonly hosts: number
  readonly rows: number
  /** Rows that are left out, since most hosts have such of their own. */
  readonly own: number
  readonly undecided: number
  readonly drift: readonly DriftKey[]
}
export interface DriftGroup {
  readonly name: string
  readonly hosts: number
  readonly rows: number
  readonly left_out: number
  /** The one with most rows first. */
  readonly by_host: readonly { readonly host: string; readonly rows: number }[]
  readonly tables: readonly DriftTable[]
}
export interface Drift {
  readonly hosts_min: number
  /** Hosts of smaller groups. */
  readonly alone: number
  readonly groups: readonly DriftGroup[]
}
export interface Baseline {
  readonly name: string
  readonly matchers: readonly string[]
  /** Whose rows they are; null: what most hosts had. */
  readonly host: string | null
  readonly tables: readonly string[]
  readonly rows: number
  readonly made_ms: number
  readonly by: string
}

/** What changed before an alert, the likeliest reason first, and what separates its hosts from others. */
export interface Suspects {
  readonly onset_ms: number
  readonly suspects: readonly Suspect[]
  readonly suspects_count: number
  readonly is_partial: boolean
  /** What was compared, or why nothing is told. */
  readonly note: string
  readonly contrast: { readonly words: string } | null
}
export interface Suspect {
  /** Of a deploy its words and times. */
  readonly change: Omit<Change, 'kind'> & { readonly kind: ChangeKind | 'deploy' }
  /** The deploy's number; null: it is a change. */
  readonly deploy: number | null
  /** The page where a deploy is seen. */
  readonly page: string | null
  /** Of those looked at all that have the change. */
  readonly hosts: readonly string[]
  readonly why: string
}
