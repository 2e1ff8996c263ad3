// The lines of a query in the span: the newest, and older ones as they are asked for.
import { computed, useSignal } from '@preact/signals'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { Answer } from '../../api/answer'
import { ask } from '../../api/ask'
import { useAnswer, useShown } from '../../api/useAnswer'
import { CATEGORIZED, linesOf, merged, type Line, type LogAnswer } from '../../lines/lines'
import { logSpan } from '../../lines/span'
import { param } from '../../url/query'

export const PAGE = 500
/** What the collector gives in one answer at most. */
const ANSWER_MAX = 5000
const PATH = '/loki/api/v1/query_range'

/** How many lines were asked for. */
const wanted = param('lines', String(PAGE))
export const wantedLines = computed(() => Math.min(100_000, Math.max(PAGE, Math.floor(Number(wanted.value)) || PAGE)))

export function useLines(query: string) {
  const older = useSignal<{ of: unknown; lines: readonly Line[]; next: string | undefined } | null>(null)
  const failed = useSignal<Answer<unknown> | null>(null)
  const isMore = useSignal(false)
  const current = useRef<AbortController | null>(null)
  const asked = useAnswer<LogAnswer>(
    () => [PATH, { query, start: `${logSpan.value.from}000000`, end: `${logSpan.value.to}000000`, limit: Math.min(ANSWER_MAX, wantedLines.peek()), direction: 'backward' }],
    { headers: CATEGORIZED },
  )
  const known = useShown(asked).value
  const isLines = known?.data.resultType === 'streams'
  const first = useMemo(() => (known && isLines ? merged(linesOf(known.data.result), []) : []), [known])
  // Older lines belong to the answer that they go on from.
  const more = older.value?.of === known ? older.value : null
  const lines = useMemo(() => (more ? merged(first, more.lines) : first), [first, more])
  const next = more ? more.next : known?.data.next
  useEffect(() => {
    failed.value = null
    return () => current.current?.abort()
  }, [known])
  const goOn = async (): Promise<void> => {
    if (!next || isMore.peek()) return
    const own = new AbortController()
    current.current = own
    isMore.value = true
    const { from, to } = logSpan.peek()
    const answer = await ask<LogAnswer>(PATH, { query, start: `${from}000000`, end: `${to}000000`, limit: PAGE, direction: 'backward', after: next }, { headers: CATEGORIZED, signal: own.signal })
    isMore.value = false
    if (own.signal.aborted) return
    failed.value = answer.kind === 'data' ? null : answer
    if (answer.kind !== 'data') return
    older.value = { of: known, lines: [...(more?.lines ?? []), ...linesOf(answer.data.data.result)], next: answer.data.data.next }
    wanted.value = String(Math.ceil((lines.length + PAGE) / PAGE) * PAGE)
  }
  return { asked, known, isLines, lines, hasMore: next !== undefined && next !== null, goOn, failed, isMore }
}
