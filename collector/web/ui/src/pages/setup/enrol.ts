// What a new enrolment token is, what is said of one, and the command for a host. Pure.
import type { Host, Labels, Token } from '../../api/types'
import { shellWord } from '../../parts/querytext'

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

/** Where the agent is there already. */
export function byHand(address: string, word: string, name: string | null | undefined): string {
  return `sudo muster-agent enrol --collector ${shellWord(address)} --token ${shellWord(word)}${name ? ` --name ${shellWord(name)}` : ''}\nsudo systemctl enable --now muster-agent`
}

/** The one command in two steps, so that the installer can be read before it runs. */
export interface TwoSteps {
  readonly pin: string
  readonly sha256: string
  readonly fetch: string
  readonly run: string
}

/** Of the collector's command, as collector/api/src/install/command.rs writes it; null: it has another form. */
export function twoSteps(command: string): TwoSteps | null {
  const plain = command.replaceAll('$d/', '')
  const [, ca] = /(printf "%s\\n"(?: "[^"]*")+ > "ca\.pem");/.exec(plain) ?? []
  const [, trust, pin, url] = /curl -fsS --max-time \d+(.*?) --pinnedpubkey "([^"]+)" -o "install\.sh" "([^"]+)"/.exec(plain) ?? []
  const sha256 = /echo "([0-9a-f]+) {2}install\.sh" \| sha256sum/.exec(plain)?.[1]
  const words = /sh "install\.sh" (.*)'\s*$/s.exec(plain)?.[1]
  if (trust === undefined || !pin || !url || !sha256 || !words) return null
  const fetch = [ca, `curl -fsS${trust} --pinnedpubkey "${pin}" -o install.sh "${url}"`, `echo "${sha256}  install.sh" | sha256sum -c -`]
  return { pin, sha256, fetch: fetch.filter(Boolean).join('\n'), run: `sudo sh install.sh ${words}` }
}

/** What tells one that waits from the host that has its name or identity. */
export function comparison(host: Host, holder: Host): string {
  if (host.machine_id && host.machine_id === holder.machine_id) return host.boot_id && host.boot_id === holder.boot_id ? 'the same machine, and the same start of it' : 'the same machine id: set up anew, or a copy'
  return host.peer && host.peer === holder.peer ? 'another machine id, from the same address' : 'another machine'
}

/** Those whose name nobody has may be let in together; the others each need a name, or take a place. */
export function together(hosts: readonly Host[], all: readonly Host[]): { readonly free: readonly Host[]; readonly taken: readonly Host[] } {
  const names = new Map<string, number>()
  for (const { name } of hosts) names.set(name.toLowerCase(), (names.get(name.toLowerCase()) ?? 0) + 1)
  const isFree = (host: Host): boolean => !holderOf(host, all) && names.get(host.name.toLowerCase()) === 1
  return { free: hosts.filter(isFree), taken: hosts.filter((host) => !isFree(host)) }
}

/** Words that must all stand in what is known of a host. */
export function findHosts(hosts: readonly Host[], text: string): readonly Host[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return hosts
  return hosts.filter((host) => {
    const all = [host.name, host.id, host.machine_id, host.peer, host.reason, host.agent_version, ...Object.values(host.facts).map(String), ...Object.entries(host.labels).map(([name, value]) => `${name}=${value}`)].join(' ').toLowerCase()
    return words.every((word) => all.includes(word))
  })
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
