// The filter of problems: words that must all stand somewhere, and `name=value`, `name!=value`, `name=~regex`, `name!~regex`. Pure.
import { own } from '../../api/own'
import type { Offer } from '../../parts/complete'
import type { Problem, Severity } from './problem'

export type Show = 'open' | 'handled' | 'all'

type Test = (problem: Problem) => boolean

/** What a name in the filter stands for: some parts of a problem, else a label. */
function valueOf(problem: Problem, name: string): string {
  switch (name) {
    case 'host':
      return problem.host
    case 'check':
      return problem.check
    case 'owner':
      return problem.owner
    case 'kind':
      return problem.kind
    case 'state':
      return problem.state.toLowerCase()
    case 'why':
      return problem.holds.map((hold) => hold.why).join(' ')
    default:
      return own(problem.labels, name) ?? ''
  }
}

function testOf(word: string): Test | string {
  const parts = /^([A-Za-z_][A-Za-z0-9_.-]*)(=~|!~|!=|=)(.*)$/.exec(word)
  if (!parts) {
    const isNot = word.startsWith('-') && word.length > 1
    const low = (isNot ? word.slice(1) : word).toLowerCase()
    return (problem) => [problem.name, problem.host, problem.text, problem.owner, ...Object.values(problem.labels)].some((text) => text.toLowerCase().includes(low)) !== isNot
  }
  const [, name = '', operator = '=', quoted = ''] = parts
  const value = quoted.replace(/^"(.*)"$/, '$1')
  const wanted = name === 'state' ? value.toLowerCase() : value
  if (operator === '=') return (problem) => valueOf(problem, name) === wanted
  if (operator === '!=') return (problem) => valueOf(problem, name) !== wanted
  try {
    const regex = new RegExp(`^(?:${wanted})$`, 'u')
    return (problem) => regex.test(valueOf(problem, name)) === (operator === '=~')
  } catch {
    return `${value} is no regular expression`
  }
}

export interface Filtered {
  readonly problems: readonly Problem[]
  /** What of the filter is not understood; the rest counts. */
  readonly wrong: string | null
}

export function filter(problems: readonly Problem[], text: string, states: readonly string[], show: Show): Filtered {
  const words: string[] = text.match(/(?:[^\s"]|"[^"]*")+/g) ?? []
  const tests = words.map(testOf)
  const wrong = tests.find((test): test is string => typeof test === 'string') ?? null
  const good = tests.filter((test): test is Test => typeof test !== 'string')
  const found = problems.filter(
    (problem) =>
      (show === 'all' || problem.isHandled === (show === 'handled')) && (states.length === 0 || states.includes(problem.state)) && good.every((test) => test(problem)),
  )
  return { problems: found, wrong }
}

/** The filter with one more condition; the same one twice takes it away. */
export function withCondition(text: string, name: string, value: string): string {
  const condition = `${name}=${/[\s"]/.test(value) ? `"${value.replaceAll('"', '')}"` : value}`
  const words: string[] = text.match(/(?:[^\s"]|"[^"]*")+/g) ?? []
  return words.includes(condition) ? words.filter((word) => word !== condition).join(' ') : [...words, condition].join(' ')
}

export function counts(problems: readonly Problem[], show: Show): Record<Severity, number> {
  const found: Record<Severity, number> = { CRITICAL: 0, WARNING: 0, UNKNOWN: 0 }
  for (const problem of problems) if (show === 'all' || problem.isHandled === (show === 'handled')) found[problem.state] += 1
  return found
}

/** Names, and values of the name that is being written, the most frequent first. */
export function offers(problems: readonly Problem[], word: string): Offer[] {
  const at = word.indexOf('=')
  const seen = new Map<string, number>()
  const count = (text: string): void => void seen.set(text, (seen.get(text) ?? 0) + 1)
  for (const problem of problems) {
    if (at >= 0) {
      const name = word.slice(0, at)
      const value = valueOf(problem, name)
      if (value && !/[\s"]/.test(value)) count(`${name}=${value}`)
    } else {
      for (const name of ['state', 'owner', 'kind', ...Object.keys(problem.labels)]) count(`${name}=`)
    }
  }
  return [...seen].sort((a, b) => b[1] - a[1]).map(([text, n]) => ({ text, note: String(n) }))
}
