// Completion of a selector of LogQL, and of what may come after one. Pure, but for the two questions that it is given.
import { quoted } from '../../api/matrix'
import type { Offer } from '../../parts/complete'

export interface Known {
  /** Names of labels. */
  names(): Promise<readonly string[]>
  values(name: string): Promise<readonly string[]>
}

const AFTER: readonly Offer[] = [
  { text: '|= "', note: 'has the text' },
  { text: '!= "', note: 'has it not' },
  { text: '|~ "', note: 'fits the expression' },
  { text: '| level="error"', note: 'of a level' },
  { text: '| logfmt', note: 'reads a=b as fields' },
  { text: '| json', note: 'reads JSON as fields' },
]

/** The words that may stand in place of `word`, the one before the caret; `text` is all that is typed. */
export async function offersFor(text: string, word: string, known: Known): Promise<readonly Offer[]> {
  const opened = text.lastIndexOf('{')
  const isInside = opened >= 0 && (word.includes('{') ? !word.includes('}') : text.indexOf('}', opened) < 0)
  if (text.trim() === '' || isInside) return inSelector(word, known)
  if (text.includes('}') && (word === '' || /^[|!]/.test(word))) return AFTER
  return []
}

async function inSelector(word: string, known: Known): Promise<readonly Offer[]> {
  const edge = Math.max(word.lastIndexOf('{'), word.lastIndexOf(','))
  const [before, last] = [word.slice(0, edge + 1), word.slice(edge + 1)]
  const begun = /^([A-Za-z_]\w*)(=~|!~|!=|=)(.*)$/s.exec(last)
  if (begun) {
    const [, name = '', sign = '', rest = ''] = begun
    const offers = (await known.values(name)).map((value): Offer => ({ text: `${before}${name}${sign}${quoted(value)}` }))
    const isWhole = /^".*"$/s.test(rest) && rest.length > 1
    return isWhole ? [{ text: `${word}}`, note: 'done' }, { text: `${word},`, note: 'and' }] : offers
  }
  const start = word === '' ? '{' : before
  return (await known.names()).map((name): Offer => ({ text: `${start}${name}=` }))
}
