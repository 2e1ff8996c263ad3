// What is typed, as a query of LogQL; what a click adds to it; and what the same is on the command line. Pure.
import { quoted } from '../../api/matrix'
import type { Range } from '../../url/range'

/** Lines of every host: LogQL wants a selector. */
export const EVERY = '{host=~".+"}'

/** Words, of which those in double quotes stay together. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|\S+/g)].map(([all, inner]) => (inner === undefined ? all : inner.replace(/\\(.)/g, '$1'))).filter(Boolean)
}

/** The query of a text: LogQL as it stands; steps of a pipeline and plain words are about every host's lines. */
export function queryOf(text: string): string {
  const whole = text.trim()
  if (whole === '') return EVERY
  // A selector, or a function over one.
  if (/^[{(]/.test(whole) || /^[a-z_]+\s*(?:\(|(?:by|without)\b).*\{/s.test(whole)) return whole
  if (/^(?:\|[=~>]?|!=|!~|!>)(?:\s|["`])/.test(whole)) return `${EVERY} ${whole}`
  return `${EVERY}${wordsOf(whole).map((word) => ` |= ${quoted(word)}`).join('')}`
}

/** Whether each bracket and quote is closed, so that it is worth asking before Enter. */
export function isWhole(text: string): boolean {
  const open: string[] = []
  for (let at = 0; at < text.length; at += 1) {
    const sign = text.charAt(at)
    if (sign === '"' || sign === '`') {
      at = endOfQuote(text, at)
      if (at < 0) return false
    } else if ('{(['.includes(sign)) open.push(sign)
    else if ('})]'.includes(sign)) open.pop()
  }
  return open.length === 0 && !/(?:\||[=!]~?|\|~)\s*$/.test(text)
}

/** Where a quote that begins at `start` ends; -1: it does not. */
function endOfQuote(text: string, start: number): number {
  const sign = text.charAt(start)
  for (let at = start + 1; at < text.length; at += 1) {
    if (sign === '"' && text.charAt(at) === '\\') at += 1
    else if (text.charAt(at) === sign) return at
  }
  return -1
}

/** Where the first selector begins and ends; null: there is no whole one. */
function selectorAt(query: string): { start: number; end: number } | null {
  const start = query.indexOf('{')
  for (let at = start + 1; start >= 0 && at < query.length; at += 1) {
    const sign = query.charAt(at)
    if (sign === '}') return { start, end: at }
    if (sign === '"' || sign === '`') at = endOfQuote(query, at)
    if (at < 0) return null
  }
  return null
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Whether LogQL can name it. */
export const canFilter = (name: string): boolean => NAME.test(name)

/** The query for lines that also have this label of their stream (`stream`), or this field: one of metadata or parsed. */
export function narrowed(text: string, name: string, value: string, kind: 'stream' | 'field', isNot = false): string {
  const query = queryOf(text)
  const condition = `${name}${isNot ? '!=' : '='}${quoted(value)}`
  if (kind === 'field') return `${query} | ${condition}`
  const at = selectorAt(query)
  if (!at) return query
  const inner = query.slice(at.start + 1, at.end).trim()
  // That every host is meant need not be said beside another label; without any that is there, LogQL refuses the selector.
  const kept = !isNot && `{${inner}}` === EVERY ? '' : inner
  return `${query.slice(0, at.start)}{${kept ? `${kept}, ` : ''}${condition}}${query.slice(at.end + 1)}`
}

/** A word of a shell, whatever it holds. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** The same question to the command line. */
export function commandOf(query: string, range: Range, limit: number, isTail: boolean): string {
  const words = ['muster', 'logs', shellWord(query)]
  if (range.kind === 'last') words.push('--since', range.text)
  else if (!isTail) words.push('--since', `${Math.ceil((range.to - range.from) / 1000)}s`, '--until', new Date(range.to).toISOString())
  words.push('--limit', String(limit))
  if (isTail) words.push('--follow')
  return words.join(' ')
}
