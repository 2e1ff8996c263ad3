// Matchers for what was chosen: of silences and of downtimes. Pure.
import type { NewSilence } from '../../api/types'
import { own } from '../../api/own'
import type { Problem } from './problem'

export type Scope = 'these' | 'hosts' | 'names'

interface Matcher {
  readonly name: string
  readonly values: readonly string[]
}

const different = (values: readonly string[]): string[] => [...new Set(values.filter(Boolean))].sort()

/** As RE2 takes it. */
export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

/** What holds back these problems, everything on their hosts, or the same problems on every host. */
export function matchersOf(problems: readonly Problem[], scope: Scope, nameLabel: 'alertname' | 'check'): Matcher[] {
  const names = different(problems.map((problem) => (nameLabel === 'check' ? problem.check : problem.name)))
  const hosts = different(problems.map((problem) => problem.labels['host'] ?? ''))
  const made: Matcher[] = []
  if (scope !== 'hosts' && names.length > 0) made.push({ name: nameLabel, values: names })
  if (scope !== 'names' && hosts.length > 0) made.push({ name: 'host', values: hosts })
  return made
}

const pattern = (values: readonly string[]): string => values.map(escapeRegex).join('|')

/** As people write them: `host=~"a|b"`. */
export function texts(matchers: readonly Matcher[]): string[] {
  return matchers.map(({ name, values }) => (values.length === 1 ? `${name}=${JSON.stringify(values[0])}` : `${name}=~${JSON.stringify(pattern(values))}`))
}

export function matches(problem: Problem, matchers: readonly Matcher[]): boolean {
  return matchers.every(({ name, values }) => values.includes(name === 'check' ? problem.check : (own(problem.labels, name) ?? '')))
}

export function silence(matchers: readonly Matcher[], by: string, comment: string, now: number, until: number): NewSilence {
  return {
    matchers: matchers.map(({ name, values }) => ({ name, value: values.length === 1 ? (values[0] ?? '') : pattern(values), isRegex: values.length > 1, isEqual: true })),
    startsAt: new Date(now).toISOString(),
    endsAt: new Date(until).toISOString(),
    createdBy: by,
    comment,
  }
}
