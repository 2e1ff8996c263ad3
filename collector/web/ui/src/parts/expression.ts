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

/** `expr > number` is the series of `expr` with a limit; anything else is drawn as it is. */
export function drawn(expression: string): Drawn {
  const seen = outer(expression)
  const signs = [...seen.matchAll(/[<>=!]=|[<>]/g)]
  const [sign] = signs
  if (signs.length !== 1 || !sign || /\b(and|or|unless|bool|on|ignoring)\b/.test(seen)) return { query: expression, limit: null, isAbove: false, isBelow: false }
  const right = expression.slice(sign.index + sign[0].length).trim()
  if (!NUMBER.test(right)) return { query: expression, limit: null, isAbove: false, isBelow: false }
  return { query: expression.slice(0, sign.index).trim(), limit: Number(right), isAbove: sign[0].startsWith('>'), isBelow: sign[0].startsWith('<') }
}
