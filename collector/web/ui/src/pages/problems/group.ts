// Problems in groups, and the rows that a list of them has. Pure.
import { own } from '../../api/own'
import { lookOf } from '../../parts/states'
import type { Problem } from './problem'

export interface Group {
  readonly key: string
  readonly title: string
  readonly problems: readonly Problem[]
  readonly hosts: number
}

/** Groups of more are folded until somebody opens them: a storm is one line. */
export const FOLD_FROM = 9

/** By name, by what one mail thread tells of (else a name), by host, by a label, or none. */
export function keyOf(problem: Problem, by: string): string {
  if (by === 'name') return problem.name
  if (by === 'incident') return problem.group
  if (by === 'host') return problem.host || 'no host'
  return own(problem.labels, by) ?? `without ${by}`
}

/** The name that all have, or the first with how many more there are. */
function titleOf(problems: readonly Problem[]): string {
  const names = new Set(problems.map((problem) => problem.name))
  const [first = ''] = names
  return names.size === 1 ? first : `${first} and ${names.size - 1} more`
}

/** Groups in the order of their first problem, so that the worst come first. */
export function groups(problems: readonly Problem[], by: string): Group[] {
  if (by === 'none') return problems.map((problem) => ({ key: problem.id, title: problem.name, problems: [problem], hosts: 1 }))
  const found = new Map<string, Problem[]>()
  for (const problem of problems) {
    const key = keyOf(problem, by)
    const group = found.get(key)
    if (group) group.push(problem)
    else found.set(key, [problem])
  }
  return [...found].map(([key, problems]) => ({ key, title: by === 'incident' ? titleOf(problems) : key, problems, hosts: new Set(problems.map((problem) => problem.host).filter(Boolean)).size }))
}

export type Row = { readonly kind: 'group'; readonly group: Group; readonly isFolded: boolean } | { readonly kind: 'problem'; readonly problem: Problem; readonly isInner: boolean }

/** `turned` has the keys of groups that are not as they are by themselves. */
export function rows(groups: readonly Group[], turned: ReadonlySet<string>): Row[] {
  return groups.flatMap((group): Row[] => {
    const [only] = group.problems
    if (group.problems.length === 1 && only) return [{ kind: 'problem', problem: only, isInner: false }]
    const isFolded = group.problems.length >= FOLD_FROM !== turned.has(group.key)
    const head: Row = { kind: 'group', group, isFolded }
    return isFolded ? [head] : [head, ...group.problems.map((problem): Row => ({ kind: 'problem', problem, isInner: true }))]
  })
}

export function worst(group: Group): string {
  return group.problems.reduce((worst, { state }) => (lookOf(state).rank > lookOf(worst).rank ? state : worst), 'OK')
}

/** Labels by which grouping makes sense: of some problems, and of more than one value or fewer values than problems. */
export function groupable(problems: readonly Problem[]): string[] {
  const values = new Map<string, Set<string>>()
  const uses = new Map<string, number>()
  for (const { labels } of problems) {
    for (const [name, value] of Object.entries(labels)) {
      if (['alertname', 'host', 'check'].includes(name)) continue
      uses.set(name, (uses.get(name) ?? 0) + 1)
      const known = values.get(name) ?? new Set()
      values.set(name, known.add(value))
    }
  }
  return [...values].filter(([name, known]) => known.size < (uses.get(name) ?? 0) || known.size === 1).map(([name]) => name).sort()
}
