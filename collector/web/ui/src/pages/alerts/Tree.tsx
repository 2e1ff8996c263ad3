// The routing tree as a list with steps, and what becomes of an alert in it.
import type { AlertingStatus, Explained, Labels } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Lack, Moment } from '../../parts'
import { duration } from '../../time/format'
import { written } from '../calendar/matcher'
import { HoldText } from '../problems/Holds'
import { readTree, walk, type Route, type Step } from './walk'

const SAID: Readonly<Record<Step['how'], readonly [string, string]>> = {
  told: ['\u2713 goes here', 'ok'],
  passed: ['\u2193 passes', 'busy'],
  other: ['\u2715 no', 'off'],
  'not reached': ['- not reached', 'off'],
  unasked: ['', 'off'],
}

export function Tree({ labels, explained }: { readonly labels: Labels | null; readonly explained?: Explained['explanation'] | undefined }) {
  const asked = useAnswer<AlertingStatus>(() => ['/api/v2/status'], { every: 60_000 })
  const known = useShown(asked).value
  if (!known) return <Lack answer={asked.answer.value} what="routes" onAgain={asked.again} />
  const root = readTree(known.config.original)
  if (!root) return <p class="soft">The collector has no routes: nobody is told of anything. Give it a file by --alerting.</p>
  return (
    <ol class="tree" aria-label="Routing tree">
      {walk(root, labels).map((step, at) => {
        const [word, tone] = SAID[step.how]
        const rows = explained?.routes.filter((one) => one.route === step.path) ?? []
        return (
          <li key={at} class={step.how === 'other' || step.how === 'not reached' ? 'soft' : ''} style={{ paddingLeft: `${step.depth * 20 + 4}px` }}>
            <span class="line">
              {word && <span class={`badge tone-${tone}`}>{word}</span>}
              <code class="any-word">{step.route.matchers.map(written).join(', ') || 'all'}</code>
              <span aria-hidden="true">&rarr;</span> <b class="any-word">{step.route.receiver}</b>
              {step.route.goesOn && <span class="badge" title="The routes after it are asked too">goes on</span>}
            </span>
            <div class="small soft any-word">{waitsOf(step.route)}</div>
            {step.why && <div class="small soft">{step.why}</div>}
            {rows.map((row) => <Told key={row.group} row={row} />)}
          </li>
        )
      })}
      {explained?.routes.filter((one) => one.route === 'storm').map((row) => (
        <li key={row.group}><span class="line"><span class="badge tone-warning">storm</span> <b>{row.receiver}</b></span><Told row={row} /></li>
      ))}
    </ol>
  )
}

/** How a route gathers and how often it tells, in words. */
function waitsOf({ groupBy, waitMs, intervalMs, repeatMs }: Route): string {
  const parts = [
    groupBy.length > 0 && `one notice for each ${groupBy.map((name) => (name === '...' ? 'alert' : name)).join(', ')}`,
    waitMs !== null && `first ${waitMs === 0 ? 'at once' : `after ${duration(waitMs)}`}`,
    intervalMs !== null && `changes after ${duration(intervalMs)}`,
    repeatMs !== null && `again each ${duration(repeatMs)}`,
  ]
  return parts.filter(Boolean).join(', ')
}

function Told({ row }: { readonly row: Explained['explanation']['routes'][number] }) {
  return (
    <div class="small told any-word">
      <div>
        group <code class="any-word">{row.group}</code>
      </div>
      {row.told_ms !== null && <>told <Moment ms={row.told_ms} short /></>}
      {row.next_ms !== null && <>{row.told_ms !== null && ', '}{row.told_ms === null ? 'will be told' : 'next'} <Moment ms={row.next_ms} short /></>}
      {row.holds.map((hold) => <span key={hold.why + hold.by} class="badge tone-busy"><HoldText hold={hold} /></span>)}
      {row.notes.map((note) => <div key={note} class="soft">{note}</div>)}
    </div>
  )
}
