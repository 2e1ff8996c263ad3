// What a new enrolment token is, what is said of one, and the command for a host. Pure.
import type { Host, Labels, Token } from '../../api/types'

export interface Form {
  readonly name: string
  /** Several hosts: `web-*`. */
  readonly isPattern: boolean
  readonly uses: string
  readonly ttl: string
  /** `role=web env=prod`. */
  readonly labels: string
  readonly replace: boolean
  /** A duration, or empty. */
  readonly ephemeral: string
}

export const EMPTY: Form = { name: '', isPattern: false, uses: '1', ttl: '1h', labels: '', replace: false, ephemeral: '' }

/** Labels of `a=b, c="d e"`; a text: what is wrong. */
export function readLabels(text: string): Labels | string {
  // A name may be `constructor` or `__proto__`: a map has only what is put into it.
  const labels = new Map<string, string>()
  let rest = text.trim()
  while (rest !== '') {
    const found = /^([a-zA-Z_][a-zA-Z0-9_]*)=(?:"([^"]*)"|([^\s,"]+))(?:[\s,]+|$)/.exec(rest)
    if (!found) return `Write labels as role=web env=prod; this is none: ${rest}`
    const [whole, name = '', quoted, plain] = found
    if (labels.has(name)) return `The label ${name} is there twice`
    labels.set(name, quoted ?? plain ?? '')
    rest = rest.slice(whole.length)
  }
  return Object.fromEntries(labels)
}

/** The body of the question; a text: what is wrong. */
export function bodyOf(form: Form): Record<string, unknown> | string {
  const labels = readLabels(form.labels)
  if (typeof labels === 'string') return labels
  const uses = Number(form.uses)
  if (!Number.isInteger(uses) || uses < 1) return 'It is good for one host at least'
  return {
    kind: 'enrolment',
    ...(form.name === '' ? {} : form.isPattern ? { pattern: form.name } : { name: form.name }),
    ttl: form.ttl,
    uses,
    labels,
    replace: form.replace,
    ephemeral: form.ephemeral === '' ? null : form.ephemeral,
  }
}

export type TokenState = 'good' | 'used' | 'expired' | 'revoked'

export function stateOf(token: Token, now: number): TokenState {
  if (token.revoked_ms != null) return 'revoked'
  if (token.expires_ms != null && token.expires_ms <= now) return 'expired'
  return token.uses_left === 0 ? 'used' : 'good'
}

/** Those that still let somebody in first, then the newest. */
export function enrolmentTokens(tokens: readonly Token[], now: number): readonly Token[] {
  const rank = (token: Token): number => (stateOf(token, now) === 'good' ? 0 : 1)
  return tokens.filter((token) => token.kind === 'enrolment').sort((a, b) => rank(a) - rank(b) || (b.made_ms ?? 0) - (a.made_ms ?? 0))
}

/** Whether a host's machine is told only on this machine itself. */
export function isLoopback(address: string): boolean {
  return /^(127\.|localhost(:|$)|\[::1\]|::1$)/.test(address)
}

/** The address that agents reach: the name by which this page is, with the agents' port. */
export function agentsAddress(pageHost: string, port: number): string {
  return `${pageHost.includes(':') && !pageHost.startsWith('[') ? `[${pageHost}]` : pageHost}:${port}`
}

/** Quoted for a shell where it must be. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9_./:@%+=,[\]-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** Where the agent is there already. */
export function byHand(address: string, word: string, name: string | null | undefined): string {
  return `sudo muster-agent enrol --collector ${quoted(address)} --token ${quoted(word)}${name ? ` --name ${quoted(name)}` : ''}\nsudo systemctl enable --now muster-agent`
}

/** Hosts that have come since `since`: those whose registration is younger and whose name a token allows. */
export function arrived(hosts: readonly Host[], token: Token, since: number): readonly Host[] {
  const fits = (name: string): boolean => {
    if (token.name) return name === token.name
    if (!token.pattern) return true
    const parts = token.pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    return new RegExp(`^${parts.join('.*')}$`).test(name)
  }
  // A second of patience: the answer's time is in whole seconds.
  return hosts.filter((host) => fits(host.name) && Math.max(host.enrolled_ms ?? 0, host.replaced_ms ?? 0, host.state === 'pending' ? host.asked_ms : 0) >= since - 1000)
}

/** The active host that has the name under which this one waits; names differ by more than capitals. */
export function holderOf(host: Host, all: readonly Host[]): Host | undefined {
  return all.find((other) => other.state === 'active' && other.id !== host.id && other.name.toLowerCase() === host.name.toLowerCase())
}
