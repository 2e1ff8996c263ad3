// Rules as rows: which are shown, which made the most noise, where an error of a file stands. Pure.
import type { Finding, Matrix, Rule, RuleGroups } from '../../api/types'
import { conditionsOf, drawn, type Drawn } from '../../parts/expression'

export type State = 'firing' | 'pending' | 'inactive' | 'recording' | 'error'

export interface RuleRow {
  readonly key: string
  readonly group: string
  readonly file: string
  /** Of the group, in seconds. */
  readonly interval: number
  /** What the last round of its group took, in seconds. */
  readonly took: number
  readonly state: State
  readonly rule: Rule
}

export function rowsOf(groups: RuleGroups['data']['groups']): RuleRow[] {
  return groups.flatMap((group) =>
    group.rules.map((rule, at) => ({
      key: [group.file, group.name, at, rule.name].join('/'), group: group.name, file: group.file, interval: group.interval, took: group.evaluationTime, rule,
      state: rule.health === 'err' ? 'error' : rule.type === 'recording' ? 'recording' : (rule.state ?? 'inactive'),
    })),
  )
}

export function filterRules(rows: readonly RuleRow[], text: string, state: string, file: string): RuleRow[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return rows.filter((row) => {
    const all = [row.rule.name, row.group, row.rule.query, ...Object.values(row.rule.labels)].join(' ').toLowerCase()
    return (!state || row.state === state) && (!file || row.file === file) && words.every((word) => all.includes(word))
  })
}

/** The last part of a path. */
export function shortFile(file: string): string {
  return file.split('/').pop() || file
}

/** Rules by how much time their alerts fired in: `seconds` is the step of the query of `ALERTS`. */
export function noisiest(matrix: Matrix, seconds: number): { name: string; alertSeconds: number; most: number; counts: [number, number][] }[] {
  return matrix.data.result
    .map(({ metric, values }) => {
      const counts = values.map(([at, value]): [number, number] => [at, Number(value)])
      return { name: metric['alertname'] ?? '', alertSeconds: counts.reduce((sum, [, n]) => sum + n * seconds, 0), most: Math.max(...counts.map(([, n]) => n)), counts }
    })
    .sort((a, b) => b.alertSeconds - a.alertSeconds || a.name.localeCompare(b.name))
}

/** Line and column of `FILE:LINE:COLUMN`, where the finding has them. */
export function placeOf(finding: Finding): { line: number; column: number | null } | null {
  const parts = /:(\d+)(?::(\d+))?$/.exec(finding.where)
  return parts ? { line: Number(parts[1]), column: parts[2] ? Number(parts[2]) : null } : null
}

/** More series are no picture. */
const SERIES = 8

/** The series that the rule judges or records: the most of those that are near its limit. */
export function plotted(rule: Pick<Rule, 'type' | 'name' | 'query'>): Drawn {
  if (rule.type === 'recording') return { query: `topk(${SERIES}, ${rule.name})`, limit: null, isAbove: false, isBelow: false }
  // Of `a < 1 and on (host) b` it is `a` that is looked at.
  const found = drawn(conditionsOf(rule.query)[0]?.query ?? rule.query)
  return { ...found, query: `${found.limit !== null && !found.isAbove ? 'bottomk' : 'topk'}(${SERIES}, ${found.query})` }
}

/** The names under which a unit test wants its rules: `rule_files: [a.yml]`, or a list below. */
export function ruleFilesOf(test: string): readonly string[] {
  const [, inline, below] = /^rule_files:[ \t]*(?:\[([^\]]*)\]|((?:\r?\n[ \t]*- .*)+))/m.exec(test) ?? []
  const all = inline !== undefined ? inline.split(',') : (below ?? '').split('\n').map((line) => line.replace(/^[ \t]*- /, ''))
  return all.map((name) => name.trim().replace(/^(["'])(.*)\1$/, '$2')).filter(Boolean)
}
