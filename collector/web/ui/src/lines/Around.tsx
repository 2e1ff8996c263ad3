// What stands around a line: lines of the same host and source before and after it, as many as are wanted, all of it in the URL.
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks'
import { useAnswer, useShown } from '../api/useAnswer'
import { Button, Dialog, Lack, Link, Notice } from '../parts'
import { clockTime, count, dateTime } from '../time/format'
import { to } from '../url/link'
import { setSearch } from '../url/location'
import { param } from '../url/query'
import { isUtc } from '../url/range'
import { letterOf, toneOfLevel } from './levels'
import { around, CATEGORIZED, linesOf, moved, nanosOf, sourceOf, type Line, type LogAnswer } from './lines'
import './lines.css'

const STEP = 20
/** What the collector gives in one answer at most. */
const MOST = 5000
/** No further from the line than this. */
const REACH_MS = 6 * 3_600_000
const REACH = '6 h'
/** Around the line in a search of its source. */
const NEAR_MS = 60_000

const at = param('around')
const source = param('of')
const earlier = param('earlier', String(STEP))
const later = param('later', String(STEP))

const wanted = (text: string): number => Math.min(MOST, Math.max(STEP, Math.floor(Number(text)) || STEP))

/** Shows what stands around the line. */
export function openAround(line: Line): void {
  setSearch({ around: line.id, of: sourceOf(line.labels), earlier: null, later: null }, 'push')
}

function close(): void {
  setSearch({ around: null, of: null, earlier: null, later: null }, 'push')
}

/** The dialog, where the URL asks for it. */
export function Around() {
  const nanos = nanosOf(at.value)
  return nanos && source.value ? <Open key={at.value} id={at.value} nanos={nanos} query={source.value} /> : null
}

function Open({ id, nanos, query }: { readonly id: string; readonly nanos: string; readonly query: string }) {
  const [most, more] = [wanted(earlier.value), wanted(later.value)]
  const question = (start: string, end: string, limit: number, direction: string) => ['/loki/api/v1/query_range', { query, start, end, limit, direction }] as const
  const before = useAnswer<LogAnswer>(() => question(moved(nanos, -REACH_MS), nanos, most, 'backward'), { headers: CATEGORIZED })
  const after = useAnswer<LogAnswer>(() => question(nanos, moved(nanos, REACH_MS), Math.min(MOST, more + 1), 'forward'), { headers: CATEGORIZED })
  const [past, next] = [useShown(before).value, useShown(after).value]
  const known = useMemo(() => ({ past: past && linesOf(past.data.result), next: next && linesOf(next.data.result) }), [past, next])
  const lines = useMemo(() => around(known.past ?? [], known.next ?? []), [known])
  const list = useRef<HTMLOListElement>(null)
  const height = useRef<{ first: string; top: number } | null>(null)
  // The line is in the middle; lines that come before those that are shown push nothing away.
  useLayoutEffect(() => {
    const box = list.current
    const here = box?.querySelector<HTMLElement>('.this')
    if (!box || !here) return
    const held = height.current
    if (held === null) box.scrollTop = here.offsetTop - box.clientHeight / 2
    else if (held.first !== lines[0]?.id) box.scrollTop += here.offsetTop - held.top
    height.current = { first: lines[0]?.id ?? '', top: here.offsetTop }
  }, [lines])
  const ms = Number(nanos.slice(0, -6))
  const hasPast = known.past !== undefined && known.past.length >= most
  const hasNext = known.next !== undefined && known.next.length > more
  return (
    <Dialog title="A line and what stands around it" onClose={close} wide>
      <div class="row small">
        <code class="any-word grow">{query}</code>
        <Link to={to(['logs'], { q: query, from: ms - NEAR_MS, to: ms + NEAR_MS })}>Search this source</Link>
      </div>
      <Lack answer={before.answer.value} what="lines before it" onAgain={before.again} />
      <Lack answer={after.answer.value} what="lines after it" onAgain={after.again} />
      {known.next && !lines.some((line) => line.id === id) && (
        <Notice tone="warning" title="The line itself is not there:">
          its labels were other ones, or it is too old to be kept. These are the ones at its time.
        </Notice>
      )}
      <div class="row">
        <Button small disabled={!hasPast || most >= MOST} onClick={() => (earlier.value = String(most + STEP))}>
          {STEP} earlier
        </Button>
        <span class="small soft grow">{known.past && (hasPast ? count(known.past.length, 'line') + ' before' : `${count(known.past.length, 'line')} before, no more within ${REACH}`)}</span>
      </div>
      {known.past || known.next ? (
        <ol ref={list} class="around mono" aria-label="Lines around it" tabIndex={0}>
          {lines.map((line) => (
            <li key={line.id} class={line.id === id ? 'this' : undefined} aria-current={line.id === id ? 'true' : undefined}>
              <time title={dateTime(line.ms, isUtc.value)}>
                {clockTime(line.ms, isUtc.value).slice(0, 8)}
                <span>{clockTime(line.ms, isUtc.value).slice(8)}</span>
              </time>
              <span class={`tone-${toneOfLevel(line.level)}`} title={line.level}>
                <b aria-hidden="true">{letterOf(line.level)}</b>
                <span class="unseen">{line.level}</span>
              </span>
              <span class="any-word">{line.text || '\u00a0'}</span>
            </li>
          ))}
        </ol>
      ) : (
        before.answer.value === null && <div class="wait" role="status" aria-label="Asking for lines around it" />
      )}
      <div class="row">
        <Button small disabled={!hasNext || more >= MOST} onClick={() => (later.value = String(more + STEP))}>
          {STEP} later
        </Button>
        <span class="small soft grow">{known.next && `${count(Math.min(more, Math.max(0, known.next.length - 1)), 'line')} after${hasNext ? '' : `, no more within ${REACH}`}`}</span>
      </div>
    </Dialog>
  )
}
