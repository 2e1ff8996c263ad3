// People, what they hold and what they did: users, sessions, tokens, the audit. Part of ./types.
import type { Labels, Trouble } from './types'

export type Role = 'viewer' | 'operator' | 'admin'
export type Scope = 'read' | 'silence' | 'ask' | 'ingest' | 'deploy' | 'task:request' | 'task:approve' | 'admin'

export interface Me {
  readonly by: string
  readonly user: string | null
  readonly role: Role | null
  readonly scopes: readonly string[]
}
export interface LoggedIn {
  readonly user: string
  readonly role: Role
  readonly ends_ms: number
}

export interface User {
  readonly name: string
  readonly role: Role
  readonly made_ms: number
  readonly made_by: string
  readonly changed_ms: number
  readonly disabled_ms: number | null
  readonly last_login_ms: number | null
}
export interface Users {
  readonly users: readonly User[]
}
export interface Session {
  readonly id: string
  readonly user: string
  readonly source: string
  readonly made_ms: number
  readonly used_ms: number
  readonly ends_ms: number
  readonly is_this: boolean
}
export interface Sessions {
  readonly sessions: readonly Session[]
}
export interface Token {
  readonly kind: 'enrolment' | 'http'
  readonly id: string
  readonly word?: string
  readonly name?: string | null
  readonly pattern?: string | null
  readonly labels?: Labels
  readonly scopes?: readonly string[]
  readonly made_ms?: number
  readonly made_by?: string
  readonly expires_ms?: number | null
  readonly uses?: number
  readonly uses_left?: number
  readonly replace?: boolean
  readonly ephemeral?: string | null
  readonly revoked_ms?: number | null
  readonly last_used_ms?: number | null
}
export interface Tokens {
  readonly tokens: readonly Token[]
}
export interface NewToken {
  readonly token: Token
  readonly agents_port: number
  readonly install: { readonly command?: string; readonly problem?: Trouble } | null
}
export interface AuditRow {
  readonly seq: number
  readonly ms: number
  readonly by: string
  readonly source: string
  readonly action: string
  readonly object: string
  readonly text: string
  readonly result: 'done' | 'refused'
  readonly prev: string
  readonly hash: string
}
export interface Audit {
  readonly rows: readonly AuditRow[]
  readonly next: number | null
}
export interface Verified {
  readonly ok: boolean
  readonly rows?: number
  readonly first_seq?: number
  readonly head_seq?: number
  readonly head?: string
  readonly noted_seq?: number | null
  readonly broken_seq?: number | null
  readonly why?: string
}
