// Texts of queries (PromQL and LogQL): what could be written at the caret, and which place an error means. Pure.
import type { Offer } from './complete'

/** What stands in place of the text from `from` up to the caret. */
export interface Completion {
  readonly from: number
  readonly offers: readonly Offer[]
}

export type Spot =
  /** In a string that is no label's value. */
  | { readonly kind: 'none' }
  /** A label's name between braces; `selector` is what else stands between them, with the metric before them. */
  | { readonly kind: 'label'; readonly from: number; readonly selector: string }
  | { readonly kind: 'operator'; readonly from: number }
  | { readonly kind: 'value'; readonly from: number; readonly label: string; readonly quote: string; readonly selector: string; readonly isField: boolean }
  /** A label's name after `by (` and the like. */
  | { readonly kind: 'grouping'; readonly from: number }
  | { readonly kind: 'window'; readonly from: number }
  /** Anything else; `before` is the last character before it that is no space. */
  | { readonly kind: 'word'; readonly from: number; readonly before: string }

const MATCHER = /([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)/g
const GROUPING = /\b(by|without|on|ignoring|group_left|group_right)\s*$/

/** The selector around the brace at `open` without the matcher that begins at `skip`. */
function selectorAround(text: string, open: number, skip: number): string {
  const metric = /[A-Za-z_:][\w:]*$/.exec(text.slice(0, open))?.[0] ?? ''
  const kept: string[] = []
  let end = open + 1
  for (const found of text.slice(open + 1).matchAll(MATCHER)) {
    const start = open + 1 + found.index
    // Another selector begins behind the end of this one.
    if (text.slice(end, start).includes('}')) break
    end = start + found[0].length
    if (start !== skip) kept.push(`${found[1]}${found[2]}${found[3]}`)
  }
  return kept.length > 0 || metric ? `${metric}{${kept.join(',')}}` : ''
}

/** What could be written at the caret. */
export function spotAt(text: string, caret: number): Spot {
  let [quote, quoteAt, brace, square] = ['', 0, -1, -1]
  const parens: number[] = []
  for (let at = 0; at < caret; at += 1) {
    const sign = text[at] ?? ''
    if (quote) {
      if (sign === '\\' && quote !== '`') at += 1
      else if (sign === quote) quote = ''
    } else if (sign === '"' || sign === "'" || sign === '`') [quote, quoteAt] = [sign, at]
    else if (sign === '{') brace = at
    else if (sign === '}') brace = -1
    else if (sign === '[') square = at
    else if (sign === ']') square = -1
    else if (sign === '(') parens.push(at)
    else if (sign === ')') parens.pop()
  }
  if (quote) {
    const before = text.slice(brace < 0 ? 0 : brace + 1, quoteAt)
    const found = /([A-Za-z_]\w*)\s*(=~|!~|!=|==?)\s*$/.exec(before)
    if (!found?.[1] || (brace < 0 && !/(\||\b(and|or)|,)\s*$/.test(before.slice(0, found.index)))) return { kind: 'none' }
    const first = brace < 0 ? text.indexOf('{') : brace
    return { kind: 'value', from: quoteAt + 1, label: found[1], quote, selector: selectorAround(text, first, brace < 0 ? -1 : brace + 1 + found.index), isField: brace < 0 }
  }
  const word = caret - (/[\w:]*$/.exec(text.slice(0, caret))?.[0].length ?? 0)
  if (square >= 0) return { kind: 'window', from: square + 1 }
  if (brace >= 0) {
    const inner = text.slice(brace + 1, caret)
    if (/(^|,)\s*\w*$/.test(inner)) return { kind: 'label', from: word, selector: selectorAround(text, brace, -1) }
    const sign = /\w\s*([=!~]*)$/.exec(inner)
    return sign ? { kind: 'operator', from: caret - (sign[1]?.length ?? 0) } : { kind: 'none' }
  }
  const open = parens[parens.length - 1]
  if (open !== undefined && GROUPING.test(text.slice(0, open))) return { kind: 'grouping', from: word }
  return { kind: 'word', from: word, before: text.slice(0, word).trimEnd().slice(-1) }
}

export const OPERATORS: readonly Offer[] = [
  { text: '="', note: 'is' },
  { text: '!="', note: 'is not' },
  { text: '=~"', note: 'matches' },
  { text: '!~"', note: 'does not match' },
]
export const WINDOWS: readonly Offer[] = ['1m]', '5m]', '15m]', '1h]', '1d]'].map((text) => ({ text }))

/** An offer for each value of a label, with the end of its string. */
export function valueOffers(values: readonly string[], quote: string): Offer[] {
  return values.map((value) => ({ text: (quote === '`' ? value : value.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`)) + quote }))
}

/** How many characters of a text stand before its byte `bytes`. */
function charactersIn(text: string, bytes: number): number {
  let [seen, at] = [0, 0]
  for (const sign of text) {
    if (seen >= bytes) break
    seen += new TextEncoder().encode(sign).length
    at += sign.length
  }
  return at
}

/**
 * Which character of the query an error of the API means: lines from 1, columns in bytes from 1, or `at character`, in bytes of the whole
 * from 1. null: it names none.
 */
export function errorPlace(message: string, text: string): number | null {
  const character = /\bat character (\d+)/.exec(message)?.[1]
  if (character !== undefined) return charactersIn(text, Number(character) - 1)
  const found = /line (\d+), col (\d+)/.exec(message) ?? /\b(\d+):(\d+): parse error/.exec(message)
  if (!found) return null
  const lines = text.split('\n')
  const [line, column] = [Number(found[1]), Number(found[2])]
  const before = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0)
  return Math.min(text.length, before + charactersIn(lines[line - 1] ?? '', column - 1))
}

/** A word put in place of what is chosen in a text, apart from the words around it; and where the caret is then. */
export function inserted(text: string, from: number, to: number, word: string): { text: string; caret: number } {
  const [before, after] = [text.slice(0, from), text.slice(to)]
  const start = before === '' || /[\s(.]$/.test(before) ? before : `${before} `
  const end = after === '' || /^[\s),.;]/.test(after) ? after : ` ${after}`
  return { text: start + word + end, caret: start.length + word.length }
}

/** A text as one word of a shell. */
export function shellWord(text: string): string {
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** A question to the API as a command; the token stands in a variable. */
export function curl(url: string, params: Readonly<Record<string, string | number>>): string {
  const words = Object.entries(params).map(([name, value]) => `--data-urlencode ${shellWord(`${name}=${value}`)}`)
  return [`curl -G ${shellWord(url)} -H "Authorization: Bearer $MUSTER_TOKEN"`, ...words].join(' \\\n  ')
}

/** Milliseconds as the programs take spans: `1h`, `90m`, `1500ms`. */
export function spanWord(ms: number): string {
  const [size, unit] = ([[86_400_000, 'd'], [3_600_000, 'h'], [60_000, 'm'], [1000, 's']] as const).find(([size]) => ms % size === 0) ?? [1, 'ms']
  return `${ms / size}${unit}`
}
