// Users, their roles and tokens: what is said of them and what may be typed. Pure.
import { own } from '../../api/own'
import type { Me, Role, Token } from '../../api/types'

export const ROLES: readonly (readonly [Role, string, string])[] = [
  ['viewer', 'Viewer', 'Looks at everything, changes nothing'],
  ['operator', 'Operator', 'Acknowledges, silences and sets downtimes too'],
  ['admin', 'Administrator', 'Does everything: hosts, users, tokens, snapshots'],
]

/** What HTTP tokens may do. */
export const SCOPES = ['read', 'ask', 'ingest', 'deploy', 'admin'] as const
export type TokenScope = (typeof SCOPES)[number]
export const SCOPE_NOTES: Readonly<Record<TokenScope, string>> = {
  read: 'Queries, as Grafana makes them',
  ask: 'Asks hosts what they have now',
  ingest: 'Sends metrics and logs in',
  deploy: 'Tells of deploys, for CI',
  admin: 'Everything, as an administrator',
}

/** What may be done, in words; a scope of a newer collector as it is. */
const MAY: Readonly<Record<string, string>> = { ...SCOPE_NOTES, read: 'Looks at everything, as Grafana does', silence: 'Acknowledges, silences and plans downtimes', 'task:request': 'Asks for tasks on hosts', 'task:approve': 'Approves tasks on hosts' }
export const scopeWords = (scopes: readonly string[]): readonly string[] => (scopes.includes('admin') ? [MAY['admin'] ?? ''] : scopes.map((scope) => own(MAY, scope) ?? scope))

/** By what the collector knows who asks. */
export function kindOf(me: Pick<Me, 'by' | 'user'>): string {
  const [kind = '', name = ''] = me.by.split(/:(.*)/s)
  if (me.user !== null) return 'Logged in with a password'
  if (kind === 'token') return `Token ${name}`
  if (kind === 'unix') return `The collector's own machine, user ${name}`
  return kind === 'anybody' ? 'Nobody is asked who they are: the collector runs with --no-auth' : me.by
}

const NAME = /^[a-z0-9][a-z0-9._-]*$/
const NAME_MOST = 64

/** What is wrong with a user's name; null: nothing. */
export function wrongName(name: string, taken: readonly string[] = []): string | null {
  if (name === '') return null
  if (name.length > NAME_MOST) return `At most ${NAME_MOST} characters`
  if (!NAME.test(name)) return 'Small letters, digits, and . _ - after the first'
  return taken.includes(name) ? 'There is a user of this name' : null
}

export const PASSWORD_LEAST = 10
const PASSWORD_MOST = 256

/** What is wrong with a password, and with its repetition; null: nothing, or it is not written yet. */
export function wrongPassword(password: string): string | null {
  if (password === '') return null
  if (password.length < PASSWORD_LEAST) return `${PASSWORD_LEAST - password.length} more characters`
  return password.length > PASSWORD_MOST ? `At most ${PASSWORD_MOST} characters` : null
}
export const wrongAgain = (password: string, again: string): string | null => (again === '' || again === password ? null : 'It is not the same')

export const canSend = (password: string, again: string): boolean => password !== '' && wrongPassword(password) === null && password === again

/** HTTP tokens that are good; with `all` the old ones too, after them. */
export function httpTokens(tokens: readonly Token[], now: number, all: boolean): readonly Token[] {
  const isGood = (token: Token): boolean => token.revoked_ms == null && (token.expires_ms == null || token.expires_ms > now)
  const http = tokens.filter((token) => token.kind === 'http' && (all || isGood(token)))
  return http.sort((a, b) => Number(isGood(b)) - Number(isGood(a)) || (b.made_ms ?? 0) - (a.made_ms ?? 0))
}
