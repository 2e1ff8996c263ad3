// What of an expression of PromQL is drawn: its series, and the number that they are compared with. Pure.

export interface Drawn {
  readonly query: string
  /** The number that the series is compared with. */
  readonly limit: number | null
  /** Whether the comparison is true above the limit. */
  readonly isAbove: boolean
  /** Whether it is true below it. */
  readonly isBelow: boolean
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i

/** The expression with what stands in quotes, parentheses, braces and brackets left blank, so that only its outermost operators are seen. */
export function outer(text: string): string {
  let depth = 0
  let quote = ''
  let made = ''
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at] ?? ''
    if (quote) {
      if (sign === '\\' && quote !== '`') {
        at += 1
        made += ' '
      } else if (sign === quote) quote = ''
    } else if ('"\'`'.includes(sign)) quote = sign
    else if ('([{'.includes(sign)) depth += 1
    else if (')]}'.includes(sign)) depth -= 1
    else if (depth === 0) {
      made += sign
      continue
    }
    made += ' '
  }
  return made
}

/** Both sides of the one comparison of an expression; null: there is none, or several, or one that joins by labels. */
export function sidesOf(expression: string): { readonly left: string; readonly sign: string; readonly right: string } | null {
  const seen = outer(expression)
  const signs = [...seen.matchAll(/[<>=!]=|[<>]/g)]
  const [sign] = signs
  if (signs.length !== 1 || !sign || /\b(and|or|unless|bool|on|ignoring)\b/.test(seen)) return null
  return { left: expression.slice(0, sign.index).trim(), sign: sign[0], right: expression.slice(sign.index + sign[0].length).trim() }
}

/** `expr > number` is the series of `expr` with a limit; anything else is drawn as it is. */
export function drawn(expression: string): Drawn {
  const sides = sidesOf(expression)
  if (!sides || !NUMBER.test(sides.right)) return { query: expression, limit: null, isAbove: false, isBelow: false }
  return { query: sides.left, limit: Number(sides.right), isAbove: sides.sign.startsWith('>'), isBelow: sides.sign.startsWith('<') }
}

export interface Condition {
  /** What joins it with those before it. */
  readonly word: '' | 'and' | 'or' | 'unless'
  readonly query: string
}

/** Behind `on (...)`, `ignoring (...)`, where the text has that at `at`. */
function behindLabels(text: string, at: number): number {
  const found = /^\s*(?:on|ignoring)\s*\([^)]*\)/.exec(text.slice(at))
  return at + (found?.[0].length ?? 0)
}

/** What is in parentheses as a whole, without them. */
function unwrapped(text: string): string {
  const whole = text.trim()
  return whole.startsWith('(') && outer(whole).trim() === '' && depthStays(whole) ? unwrapped(whole.slice(1, -1)) : whole
}

/** Whether the first parenthesis is closed by the last one. */
function depthStays(text: string): boolean {
  let depth = 0
  for (let at = 0; at < text.length - 1; at += 1) {
    if (text[at] === '(') depth += 1
    else if (text[at] === ')') depth -= 1
    if (depth === 0) return false
  }
  return text.endsWith(')')
}

/** The conditions that `and`, `or` and `unless` join at the outside of an expression, each on its own. */
export function conditionsOf(expression: string): Condition[] {
  const found: Condition[] = []
  let [start, word]: [number, Condition['word']] = [0, '']
  for (const next of outer(expression).matchAll(/\b(and|or|unless)\b/g)) {
    found.push({ word, query: unwrapped(expression.slice(start, next.index)) })
    word = next[1] as Condition['word']
    start = behindLabels(expression, next.index + next[0].length)
  }
  found.push({ word, query: unwrapped(expression.slice(start)) })
  return found
}
