// What is asked of a host's log lines. Pure.
import { escaped, quoted } from '../../api/matrix'
import { own } from '../../api/own'

const LEVEL_WORDS: Readonly<Record<string, string>> = { critical: '(?i)(crit|fatal|emerg|alert|panic).*', error: '(?i)err.*', warn: '(?i)warn.*', info: '(?i)(info|notice).*', debug: '(?i)(debug|trace).*', other: '' }

/** This host's lines that have the text, in whatever case; Muster's own events are shown elsewhere. */
export function selector(host: string, text: string, level: string): string {
  const words = text.trim() === '' ? '' : ` |~ ${quoted(`(?i)${escaped(text.trim())}`)}`
  return `{host=${quoted(host)},source!="muster"}${words}${level ? ` | level=~${quoted(own(LEVEL_WORDS, level) ?? escaped(level))}` : ''}`
}
