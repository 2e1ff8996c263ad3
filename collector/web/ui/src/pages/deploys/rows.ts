// Deploys as rows: what is said of one, in which order environments stand. Pure.
import type { Deploy, Service, ServiceEnvironment, SeenVersion } from '../../api/deploys'
import { count, duration } from '../../time/format'

/** So many are one page. */
export const LIMIT = 100

export interface Mark {
  readonly text: string
  readonly tone: 'warning' | 'busy' | 'off'
  /** What it means. */
  readonly why: string
}

/** What stands out of a deploy. */
export function marksOf(deploy: Deploy): Mark[] {
  const marks: Mark[] = []
  if (deploy.unannounced) marks.push({ text: 'unannounced', tone: 'warning', why: 'A package changed, and nothing had announced it' })
  else if (deploy.source === 'package') marks.push({ text: 'not declared', tone: 'busy', why: `A package changed; ${deploy.announced || 'something'} announced it, no deploy was told` })
  if (deploy.freeze !== null) {
    const lifted = deploy.override === null ? 'nobody had lifted it' : `override ${deploy.override} had lifted it`
    marks.push({ text: deploy.override === null ? 'in a freeze' : 'freeze lifted', tone: deploy.override === null ? 'warning' : 'off', why: `It began while the freeze ${deploy.freeze} was on; ${lifted}` })
  }
  return marks
}

/** By whom, and how that was heard. */
export function whoOf({ by, source, package: name }: Deploy): string {
  if (source === 'package') return `package ${name ?? ''}`.trim()
  return source === 'api' ? by : `${by} (${source})`
}

/** How long it took, or takes. */
export function tookOf({ started_ms, ended_ms, source }: Deploy, now: number): string {
  if (source === 'package') return ''
  return duration(Math.max(0, (ended_ms ?? now) - started_ms))
}

export const hostsOf = ({ hosts }: Deploy): string => (hosts === null ? 'all its hosts' : count(hosts.length, 'host'))

/** Environments of all services: those that others come after first, then by name. */
export function envsOf(services: readonly Service[]): string[] {
  const after = new Map<string, Set<string>>()
  for (const { environments } of services) {
    for (const { env, after: before } of environments) {
      const known = after.get(env) ?? new Set()
      before?.forEach((one) => known.add(one))
      after.set(env, known)
    }
  }
  const sorted: string[] = []
  const left = new Set([...after.keys()].sort())
  while (left.size > 0) {
    // Rules that go round in a ring have no first: then by name.
    const next = [...left].find((env) => [...(after.get(env) ?? [])].every((one) => one === env || !left.has(one))) ?? ([...left][0] as string)
    left.delete(next)
    sorted.push(next)
  }
  return sorted
}

/** The versions that some host has. */
export const presentOf = ({ versions }: ServiceEnvironment): readonly SeenVersion[] => versions.filter(({ hosts }) => hosts.length > 0)

/** `1.4.2 for 3 d`, `1.5.0 on 1 of 4`. */
export function versionWords(seen: SeenVersion, hosts: number, now: number): string {
  if (seen.whole_ms !== null) return `${seen.version} for ${duration(Math.max(0, now - seen.whole_ms))}`
  return `${seen.version} on ${seen.hosts.length} of ${hosts}`
}
