// Hosts as the list has them: their one state, the filter, groups, and news that are merged into what is known. Pure.
import type { Check, FleetRow, Host } from '../../api/types'
import { own } from '../../api/own'
import type { Offer } from '../../parts/complete'
import { lookOf } from '../../parts/states'

export interface Row extends FleetRow {
  /** What matters most of it: that it waits or is away, else its worst check. */
  readonly overall: string
  /** In the order in which people count: `web-9` is before `web-10`. */
  readonly order: string
}

/** One word for a host. */
export function overallOf(row: Pick<FleetRow, 'state' | 'presence' | 'checks'>): string {
  if (row.state !== 'active') return row.state
  if (row.presence === null) return 'not heard'
  return row.presence === 'up' ? (row.checks.worst ?? 'OK') : row.presence
}

const NAMES: Readonly<Record<string, string>> = { quarantined: 'Set aside', 'not heard': 'Not heard yet' }

/** The state as it is said. */
export function wordOf(state: string): string {
  return own(NAMES, state) ?? lookOf(state).word
}

export function rowOf(row: FleetRow): Row {
  return { ...row, overall: overallOf(row), order: row.name.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, '0')) }
}

/** What was told of hosts, put into the rows: only these become others. A host that is not known needs the whole list. */
export function merge(rows: readonly Row[], changed: readonly Host[], gone: readonly string[]): { rows: readonly Row[]; isEnough: boolean } {
  const news = new Map(changed.map((host) => [host.id, host]))
  const left = new Set([...gone, ...changed.filter((host) => host.state === 'retired').map((host) => host.id)])
  let known = 0
  const next = rows.flatMap((row): Row[] => {
    if (left.has(row.id)) return []
    const host = news.get(row.id)
    if (!host) return [row]
    known += 1
    const { name, labels, state, presence, agent_version, last_arrival_ms } = host
    return [rowOf({ ...row, name, labels, presence, agent_version, last_arrival_ms, state: state as FleetRow['state'] })]
  })
  return { rows: next, isEnough: known === [...news.keys()].filter((id) => !left.has(id)).length }
}

const WORST = ['CRITICAL', 'WARNING', 'UNKNOWN', 'OK'] as const

/** The row with its checks counted anew. */
export function withChecks(row: Row, checks: readonly Pick<Check, 'state'>[]): Row {
  const count = (state: string): number => checks.filter((check) => check.state === state).length
  const counts = { ok: count('OK'), warning: count('WARNING'), critical: count('CRITICAL'), unknown: count('UNKNOWN') }
  return rowOf({ ...row, checks: { ...counts, worst: WORST.find((state) => count(state) > 0) ?? null } })
}

type Test = (row: Row) => boolean

function valueOf(row: Row, name: string): string {
  if (name === 'host' || name === 'name') return row.name
  if (name === 'version') return row.agent_version
  if (name === 'state') return wordOf(row.overall)
  return own(row.labels, name) ?? ''
}

function testOf(word: string): Test | string {
  const parts = /^([A-Za-z_][A-Za-z0-9_.-]*)(=~|!~|!=|=)(.*)$/.exec(word)
  if (!parts) {
    const isNot = word.startsWith('-') && word.length > 1
    const low = (isNot ? word.slice(1) : word).replace(/^"(.*)"$/, '$1').toLowerCase()
    return (row) => [row.name, row.agent_version, ...Object.values(row.labels)].some((text) => text.toLowerCase().includes(low)) !== isNot
  }
  const [, name = '', operator = '=', raw = ''] = parts
  const value = raw.replace(/^"(.*)"$/, '$1')
  if (operator === '=') return (row) => valueOf(row, name).toLowerCase() === value.toLowerCase()
  if (operator === '!=') return (row) => valueOf(row, name).toLowerCase() !== value.toLowerCase()
  try {
    const regex = new RegExp(`^(?:${value})$`, 'u')
    return (row) => regex.test(valueOf(row, name)) === (operator === '=~')
  } catch {
    return `${value} is no regular expression`
  }
}

const wordsOf = (text: string): string[] => text.match(/(?:[^\s"]|"[^"]*")+/g) ?? []

/** Rows that fit the text, and what of it is not understood; the rest counts. */
export function filter(rows: readonly Row[], text: string): { rows: readonly Row[]; wrong: string | null } {
  const tests = wordsOf(text).map(testOf)
  const good = tests.filter((test): test is Test => typeof test !== 'string')
  return { rows: good.length === 0 ? rows : rows.filter((row) => good.every((test) => test(row))), wrong: tests.find((test): test is string => typeof test === 'string') ?? null }
}

/** Names, and values of the name that is being written, the most frequent first. */
export function offers(rows: readonly Row[], word: string): Offer[] {
  const at = word.indexOf('=')
  const seen = new Map<string, number>()
  const count = (text: string): void => void seen.set(text, (seen.get(text) ?? 0) + 1)
  for (const row of rows) {
    if (at >= 0) {
      const name = word.slice(0, at)
      const value = valueOf(row, name)
      if (value) count(`${name}=${/\s/.test(value) ? `"${value}"` : value}`)
    } else for (const name of ['host', 'state', 'version', ...Object.keys(row.labels)]) count(`${name}=`)
  }
  return [...seen].sort((a, b) => b[1] - a[1]).slice(0, 200).map(([text, n]) => ({ text, note: String(n) }))
}

/** How many hosts there are of each state, the worst first. */
export function counts(rows: readonly Row[]): [string, number][] {
  const found = new Map<string, number>()
  for (const { overall } of rows) found.set(overall, (found.get(overall) ?? 0) + 1)
  return [...found].sort((a, b) => lookOf(b[0]).rank - lookOf(a[0]).rank || (a[0] < b[0] ? -1 : 1))
}

/** Numbers of a version, so that 0.10.0 is newer than 0.9.2. */
export function versionOrder(version: string): string {
  return version.replace(/\d+/g, (digits) => digits.padStart(8, '0'))
}

/** The newest version that any host has: what differs from it is old. */
export function newestVersion(rows: readonly Row[]): string {
  let newest = ''
  for (const { agent_version: version } of rows) if (version && versionOrder(version) > versionOrder(newest)) newest = version
  return newest
}

export type By = (row: Row) => string | number

/** By what each column sorts; the worst is the highest. `values` are of the metric that is shown. */
export function orderOf(column: string, values: ReadonlyMap<string, number>): By {
  switch (column) {
    case 'state':
      return (row) => lookOf(row.overall).rank
    case 'strip':
      return (row) => [...row.strip].reduce((sum, letter) => sum + (letter === '.' || letter === '-' ? 0 : letter === 'c' || letter === 's' ? 3 : 1), 0)
    case 'cpu':
    case 'memory':
      return (row) => values.get(row.name) ?? -1
    case 'labels':
      return (row) => Object.entries(row.labels).join('\n')
    case 'checks':
      return (row) => row.checks.critical * 1e8 + row.checks.warning * 1e5 + row.checks.unknown * 1e3 + row.unhandled
    case 'version':
      return (row) => versionOrder(row.agent_version)
    case 'seen':
      return (row) => row.last_arrival_ms ?? 0
    case 'lag':
      return (row) => row.lag_ms ?? Infinity
    default:
      return (row) => row.order
  }
}

/** Sorted, the same by name. `sort` is `column` or `-column`. */
export function sort(rows: readonly Row[], sort: string, values: ReadonlyMap<string, number>): readonly Row[] {
  const sign = sort.startsWith('-') ? -1 : 1
  const by = orderOf(sort.replace(/^-/, ''), values)
  const keyed = rows.map((row) => [by(row), row] as const)
  const compare = (a: string | number, b: string | number): number => (a < b ? -1 : a > b ? 1 : 0)
  keyed.sort((a, b) => sign * compare(a[0], b[0]) || compare(a[1].order, b[1].order))
  return keyed.map(([, row]) => row)
}

export type Line = { readonly kind: 'host'; readonly row: Row } | { readonly kind: 'group'; readonly key: string; readonly rows: readonly Row[]; readonly isFolded: boolean }

/** The list: hosts, or groups by a label with their hosts; the group without the label is last. */
export function lines(rows: readonly Row[], label: string, folded: ReadonlySet<string>): Line[] {
  if (!label) return rows.map((row) => ({ kind: 'host', row }))
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const key = label === 'version' && !row.labels['version'] ? row.agent_version : (own(row.labels, label) ?? '')
    const group = groups.get(key)
    if (group) group.push(row)
    else groups.set(key, [row])
  }
  const sorted = [...groups].sort(([a], [b]) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1))
  return sorted.flatMap(([key, rows]): Line[] => {
    const isFolded = folded.has(key)
    return [{ kind: 'group', key, rows, isFolded }, ...(isFolded ? [] : rows.map((row): Line => ({ kind: 'host', row })))]
  })
}

/** Labels of some host, by name. */
export function labelNames(rows: readonly Row[]): string[] {
  const names = new Set<string>()
  for (const row of rows) for (const name of Object.keys(row.labels)) names.add(name)
  return [...names].sort()
}
