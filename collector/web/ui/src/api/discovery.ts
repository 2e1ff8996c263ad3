// The answers about what was found on hosts, as collector/api/openapi.yaml has them.

export type ItemState = 'proposed' | 'accepted' | 'ignored' | 'gone' | 'archived'
export type ItemKind = 'daemon' | 'unit' | 'port' | 'mount' | 'certificate' | 'container'
export type Decision = 'accept' | 'ignore' | 'archive'

/** A thing on a host. */
export interface Item {
  readonly host: string
  readonly host_id: string
  /** Its kind, a colon, and a text that survives restarts. */
  readonly key: string
  readonly kind: ItemKind
  readonly state: ItemState
  readonly words: string
  readonly fields: Readonly<Record<string, string>>
  /** What it brings while it is watched, by the keys of `[[checks]]`. */
  readonly checks: readonly Readonly<Record<string, unknown>>[]
  readonly profile: string | null
  readonly is_there: boolean
  readonly found_ms: number
  /** Since when it is in its state. */
  readonly since_ms: number
  readonly by: string
  readonly reason: string
  /** It went between these looks. */
  readonly went_after_ms: number | null
  readonly went_until_ms: number | null
  readonly is_flapping: boolean
}
export interface ItemList {
  readonly items: readonly Item[]
  /** The `after` of the next page; null: there are no more. */
  readonly next: string | null
  /** Hosts with more things than are taken. */
  readonly over: readonly { readonly host: string; readonly host_id: string; readonly count: number; readonly first: readonly string[] }[]
}

export interface DiscoveryRule {
  readonly name: string
  readonly kind: ItemKind | null
  readonly items: readonly string[]
  readonly hosts: readonly string[]
  readonly action: 'accept' | 'ignore'
  readonly source: 'api' | 'file'
  readonly file: string | null
  readonly is_hidden: boolean
  readonly by: string | null
  readonly made_ms: number | null
}
export interface DiscoveryRules {
  readonly rules: readonly DiscoveryRule[]
}
export interface Matched {
  readonly items: number
  readonly hosts: number
  /** At most 20. */
  readonly first: readonly { readonly host: string; readonly key: string; readonly words: string }[]
}
