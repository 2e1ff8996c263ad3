// Logs: lines of all hosts by words or LogQL, how many when, what each has, and live as they come.
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { ask } from '../../api/ask'
import { Button, Copy, Filter, Lack, Notice, useKeys } from '../../parts'
import { Around } from '../../lines/Around'
import { logSpan } from '../../lines/span'
import { useHeading } from '../../shell/heading'
import { count } from '../../time/format'
import { path } from '../../url/link'
import { setSearch } from '../../url/location'
import { param } from '../../url/query'
import { range } from '../../url/range'
import { offersFor, type Known } from './complete'
import { Histogram } from './Histogram'
import { List } from './List'
import { commandOf, isWhole, narrowed, queryOf } from './query'
import { PAGE, useLines, wantedLines } from './useLines'
import { TAIL_MAX } from './tail'
import { useTail } from './useTail'
import './logs.css'

const q = param('q')
const wrap = param('wrap')
const tailing = param('tail')

/** A query is asked when nobody has typed for so long. */
const TYPED_MS = 500

const listOf = async (...parts: string[]): Promise<readonly string[]> => {
  const { from, to } = logSpan.peek()
  const answer = await ask<{ data?: string[] }>(path('loki', 'api', 'v1', ...parts), { start: `${from}000000`, end: `${to}000000` })
  return answer.kind === 'data' ? (answer.data.data ?? []) : []
}
const known: Known = { names: () => listOf('labels'), values: (name) => listOf('label', name, 'values') }

/** Another query begins with its newest lines. */
function search(text: string, how: 'push' | 'replace'): void {
  if (text.trim() !== q.peek()) setSearch({ q: text.trim() || null, lines: null, line: null }, how)
}

function Search() {
  const draft = useSignal(q.peek())
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  // Back, and a click on a value, change it too.
  useEffect(() => {
    if (draft.peek().trim() !== q.value) draft.value = q.value
  }, [q.value])
  useEffect(() => () => clearTimeout(timer.current), [])
  const onInput = (text: string): void => {
    draft.value = text
    clearTimeout(timer.current)
    if (isWhole(text)) timer.current = setTimeout(() => search(draft.peek(), 'replace'), TYPED_MS)
  }
  const onEnter = (): void => {
    clearTimeout(timer.current)
    search(draft.peek(), 'push')
  }
  return <Filter label="Search logs" placeholder={'Words, or LogQL: {app="shop"} |= "failed"'} value={draft.value} onInput={onInput} onEnter={onEnter} offers={(word) => offersFor(draft.peek(), word, known)} />
}

export default function Logs() {
  useHeading('Logs')
  const query = queryOf(q.value)
  const found = useLines(query)
  const isTail = tailing.value === '1'
  // A query that is refused is told of by its lines, and no stream is opened for it.
  const { tail, tell, again } = useTail(isTail && found.isLines && found.asked.answer.value?.kind !== 'refused' ? query : null)
  const { held, waiting, dropped, left, breaks, link, why, lines: came } = tail.value
  const lines = !found.isLines ? [] : isTail ? (held ?? came) : found.lines
  const isWrapped = wrap.value === '1'
  const toggleTail = (): void => setSearch({ tail: isTail ? null : '1' }, 'push')
  const toggleWrap = (): void => {
    wrap.value = isWrapped ? '' : '1'
  }
  useKeys([
    { key: 'w', does: 'wrap the lines', run: toggleWrap },
    { key: 't', does: 'live tail', run: toggleTail },
  ])
  return (
    <div class="page fill logs">
      <div class="logs-tools">
        <Search />
        <span class="row">
          <Button small pressed={isWrapped} onClick={toggleWrap}>
            Wrap
          </Button>
          <Button small pressed={isTail} onClick={toggleTail}>
            Live tail
          </Button>
          <Copy text={commandOf(query, range.value, isTail ? 100 : Math.max(PAGE, wantedLines.value), isTail)} label="Copy as command" />
        </span>
      </div>
      <Lack answer={found.asked.answer.value} what="log lines" onAgain={found.asked.again} />
      {found.known && !found.isLines && (
        <Notice tone="warning" title="This query gives numbers, not lines:">
          ask for the lines that it counts, such as <span class="mono">{'{app="shop"} |= "failed"'}</span>.
        </Notice>
      )}
      {!isTail && found.isLines && <Histogram query={query} />}
      {isTail && found.isLines && (
        <div class="row logs-tail" role="status">
          <span class={`badge tone-${link === 'connected' ? (held ? 'off' : 'ok') : link === 'over' ? 'critical' : 'warning'}`}>{link === 'connected' ? (held ? 'Paused' : 'Live') : link === 'over' ? 'Ended' : link === 'away' ? 'Away' : 'Connecting'}</span>
          {link !== 'over' && (
            <Button small onClick={() => tell({ kind: held ? 'go' : 'pause' })}>
              {held ? 'Go on' : 'Pause'}
            </Button>
          )}
          {link === 'over' && (
            <Button small onClick={again}>
              Begin again
            </Button>
          )}
          <span class="soft small">
            {count(lines.length, 'line')}
            {held && `, ${count(waiting, 'more line')} since`}
            {link === 'over' && `: ${why}`}
            {link === 'away' && ': the stream broke off, it begins again by itself'}
          </span>
          {dropped > 0 && <span class="badge tone-warning">{count(dropped, 'line')} not shown: more came than could be handed over</span>}
          {left > 0 && <span class="badge">{count(left, 'older line')} left out: a tail keeps {TAIL_MAX.toLocaleString('en-GB')}</span>}
          {breaks > 0 && <span class="badge tone-warning">broke off {count(breaks, 'time')}: what came meanwhile may be missing</span>}
        </div>
      )}
      {lines.length > 0 && <List lines={lines} isWrapped={isWrapped} onPick={(name, value, kind, isNot) => search(narrowed(q.peek(), name, value, kind, isNot), 'push')} />}
      {!found.known && found.asked.answer.value === null && <div class="wait" role="status" aria-label="Asking for log lines" />}
      {found.isLines && lines.length === 0 && (!isTail || link === 'connected') && (
        <div class="card empty">
          <h2>{isTail ? 'No lines yet' : 'No lines'}</h2>
          <p>{isTail ? 'Lines that fit are shown as they come.' : q.value ? 'None in this time fits. A longer time, or fewer words, may find some.' : 'No host sent any in this time. Which files and journals are followed stands in the configuration of each as [[logs]].'}</p>
        </div>
      )}
      <Around />
      <Lack answer={found.failed.value} what="older lines" onAgain={() => void found.goOn()} />
      {!isTail && lines.length > 0 && (
        <div class="row paging">
          <span class="soft small grow">
            {count(lines.length, 'line')}, the newest first{found.hasMore ? '' : '; there are no more'}
          </span>
          {found.hasMore && (
            <Button small disabled={found.isMore.value} onClick={() => void found.goOn()}>
              Older lines
            </Button>
          )}
        </div>
      )}
    </div>
  )
}
