// Matchers of labels, as people write them: `host="web-1", check=~"disk.*"`. Pure.
import type { Labels, NewSilence } from '../../api/types'
import { shellWord } from '../../parts/querytext'
import { own } from '../../api/own'

export { shellWord }

export interface Matcher {
  readonly name: string
  readonly operator: '=' | '!=' | '=~' | '!~'
  readonly value: string
}

const ONE = /^\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^",\s]*)\s*(?:,|\n|$)/

function unquote(text: string): string {
  if (!text.startsWith('"')) return text
  try {
    return JSON.parse(text) as string
  } catch {
    return text.slice(1, -1)
  }
}

/** Matchers by commas or lines; a text says what is wrong. */
export function parseMatchers(text: string): readonly Matcher[] | string {
  const found: Matcher[] = []
  let rest = text.trim()
  while (rest) {
    const parts = ONE.exec(rest)
    if (!parts) return `\`${rest.slice(0, 40)}\`: write such as host="web-1" or check=~"disk.*", one a line`
    const [all, name = '', operator = '=', value = ''] = parts
    const matcher = { name, operator: operator as Matcher['operator'], value: unquote(value) }
    if (matcher.operator.endsWith('~') && !regexOf(matcher.value)) return `${matcher.value} is no regular expression`
    found.push(matcher)
    rest = rest.slice(all.length).trim()
  }
  return found
}

function regexOf(text: string): RegExp | null {
  try {
    return new RegExp(`^(?:${text})$`, 'su')
  } catch {
    return null
  }
}

/** Whether all match; a label that is absent is empty. */
export function matchesAll(labels: Labels, matchers: readonly Matcher[]): boolean {
  return matchers.every((matcher) => matches(labels, matcher))
}

export function matches(labels: Labels, { name, operator, value }: Matcher): boolean {
  const has = own(labels, name) ?? ''
  if (operator === '=') return has === value
  if (operator === '!=') return has !== value
  return (regexOf(value)?.test(has) ?? false) === (operator === '=~')
}

export function written({ name, operator, value }: Matcher): string {
  return name + operator + JSON.stringify(value)
}

/** As Alertmanager has them, and back. */
export function toSilence(matchers: readonly Matcher[]): NewSilence['matchers'] {
  return matchers.map(({ name, operator, value }) => ({ name, value, isRegex: operator.endsWith('~'), isEqual: !operator.startsWith('!') }))
}

export function ofSilence(matchers: NewSilence['matchers']): string[] {
  return matchers.map(({ name, value, isRegex, isEqual }) => written({ name, value, operator: isRegex ? (isEqual ? '=~' : '!~') : isEqual ? '=' : '!=' }))
}

/** The command that makes such a silence, from now on. */
export function silenceCommand(matchers: readonly Matcher[], ms: number, comment: string): string {
  const words = ['--for', `${Math.max(1, Math.round(ms / 60_000))}m`, '--comment', comment || 'why', ...matchers.map(written)]
  return `muster silence add ${words.map(shellWord).join(' ')}`
}
