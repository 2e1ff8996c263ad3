// Checks of a host: state, what they say, their numbers against their limits, and how they were in the span.
import { useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import { quoted, type Matrix } from '../../api/matrix'
import { may } from '../../api/me'
import type { Check, Perfdata } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { logSpan } from '../../lines/span'
import { Age, Button, Dialog, DurationField, isDuration, Notice, say, StateMark, Strip, TextField } from '../../parts'
import { lookOf } from '../../parts/states'
import { now, quarter } from '../../time/clock'
import { duration, number, parseDuration } from '../../time/format'
import { range, span } from '../../url/range'
import { downtime, type Action } from '../problems/act'
import type { Problem } from '../problems/problem'
import { endOf, stateOfValue, stripOf, type Happened } from './happened'

const PIECES = 48

export interface ChecksProps {
  readonly host: string
  readonly checks: readonly Check[]
  readonly problems: readonly Problem[]
  readonly events: readonly Happened[]
  readonly onAction: (action: Action, problems: readonly Problem[]) => void
}

export function Checks({ host, checks, problems, events, onAction }: ChecksProps) {
  const planned = useSignal<Check | null>(null)
  // When each had its first result in the span: before that its state is not known.
  const results = useAnswer<Matrix>(() => {
    const { from, to } = logSpan.value
    const piece = Math.ceil((to - from) / PIECES / 1000)
    return ['/api/v1/query_range', { query: `count by (check) (count_over_time(muster_check_state{host=${quoted(host)}}[${piece}s]))`, start: from / 1000 + piece, end: to / 1000 + piece, step: piece }]
  })
  const counted = useShown(results).value
  const seen = useMemo(() => {
    const { from, to } = logSpan.peek()
    const piece = Math.ceil((to - from) / PIECES / 1000)
    return new Map((counted?.data.result ?? []).map(({ metric, values }) => [metric['check'] ?? '', ((values[0]?.[0] ?? Infinity) - piece) * 1000]))
  }, [counted])
  if (checks.length === 0) {
    return (
      <div class="card empty">
        <h2>No checks</h2>
        <p>
          Checks stand in the agent's configuration as <code>[[checks]]</code>; <code>muster-agent push NAME --state OK</code> hands over the result of a check that something else made.
        </p>
      </div>
    )
  }
  const time = span(range.value, quarter.value)
  const sorted = [...checks].sort((a, b) => lookOf(b.state).rank - lookOf(a.state).rank || (a.check < b.check ? -1 : 1))
  return (
    <ul class="card host-checks" aria-label="Checks">
      {sorted.map((check) => {
        const problem = problems.find((problem) => problem.kind === 'check' && problem.check === check.check)
        return (
          <li key={check.check}>
            <div class="check-head">
              <StateMark state={check.state} />
              <strong class="any-word">{check.check}</strong>
              <Marks check={check} />
              <span class="grow" />
              <span class="check-strip">
                <Strip states={stripOf(check, events, time, now(), seen.get(check.check), PIECES)} time="the time that is chosen" height={16} />
              </span>
              {may('silence') && (
                <span class="row check-acts">
                  {problem && !check.acknowledgement && problem.soft === '' && (
                    <Button small name={`Acknowledge ${check.check}`} onClick={() => onAction('acknowledge', [problem])}>
                      Acknowledge
                    </Button>
                  )}
                  {problem && check.acknowledgement && (
                    <Button small name={`Take back the acknowledgement of ${check.check}`} onClick={() => onAction('unacknowledge', [problem])}>
                      Take back
                    </Button>
                  )}
                  <Button small name={`Downtime for ${check.check}`} onClick={() => (planned.value = check)}>
                    Downtime
                  </Button>
                </span>
              )}
            </div>
            <p class="check-output any-word">{check.output || <span class="soft">It says nothing.</span>}</p>
            {check.long_output && (
              <details class="small">
                <summary>More of what it says</summary>
                <pre class="any-word">{check.long_output}</pre>
              </details>
            )}
            {check.perfdata.length > 0 && (
              <div class="perfs">
                {check.perfdata.map((one) => (
                  <Perf key={one.label} perf={one} />
                ))}
              </div>
            )}
            <p class="host-facts small soft">
              <span>
                {check.state === 'OK' ? 'OK' : lookOf(check.state).word} <Age ms={check.since_ms} before="for " />
              </span>
              {!check.is_hard && <span>{check.attempt} of {check.max_attempts} times in a row, not confirmed yet</span>}
              <span>{check.interval_ms > 0 ? `every ${duration(check.interval_ms)}` : 'whenever somebody hands over a result'}</span>
              <span>
                last result <Age ms={check.at_ms ?? check.arrived_ms} after=" ago" />
                {check.duration_ms > 0 && `, took ${duration(check.duration_ms)}`}
              </span>
              {check.parents.length > 0 && <span class="any-word">depends on {check.parents.join(', ')}</span>}
              {check.acknowledgement && (
                <span class="any-word">
                  acknowledged by {check.acknowledgement.by}
                  {check.acknowledgement.comment && `: ${check.acknowledgement.comment}`}
                </span>
              )}
              {check.remedy && <span class="any-word">what helps: {check.remedy}</span>}
            </p>
          </li>
        )
      })}
      {planned.value && <Downtime host={host} check={planned.value.check} onClose={() => (planned.value = null)} />}
    </ul>
  )
}

function Marks({ check }: { readonly check: Check }) {
  return (
    <>
      {check.is_stale && (
        <span class="badge tone-unknown" title="Nothing has come of it for longer than it may be silent">
          Stale {check.stale_ms !== null && <Age ms={check.stale_ms} />}
        </span>
      )}
      {check.is_flapping && <span class="badge tone-warning">Flapping {Math.round(check.flapping_percent)} %</span>}
      {!check.is_live && !check.is_stale && <span class="badge">Catching up</span>}
      {check.acknowledgement && <span class="badge tone-busy">Acknowledged</span>}
      {check.holds.some(({ why }) => why === 'downtime') && <span class="badge tone-busy">Downtime</span>}
    </>
  )
}

/** One number as a bar, with where it warns and where it is critical. */
function Perf({ perf }: { readonly perf: Perfdata }) {
  const { label, value, unit, warn, crit, min, max } = perf
  const ends = [endOf(warn), endOf(crit), max, value].filter((one): one is number => one !== null && Number.isFinite(one))
  const low = min ?? Math.min(0, value ?? 0)
  const high = max ?? Math.max(...ends, low + 1e-9) * (endOf(crit) === null ? 1 : 1.15)
  const place = (one: number): string => `${Math.min(100, Math.max(0, ((one - low) / (high - low || 1)) * 100))}%`
  const state = stateOfValue(value, warn, crit)
  const text = value === null ? 'not known' : `${number(value)}${unit ? ` ${unit}` : ''}`
  const limits = [warn && `warns at ${warn}`, crit && `critical at ${crit}`].filter(Boolean).join(', ')
  return (
    <span class="perf" title={`${label}: ${text}${limits ? `, ${limits}` : ''}`}>
      <span class="cut small">{label}</span>
      <span class="perf-bar" role="img" aria-label={`${label} ${text}, ${lookOf(state).word}${limits ? `, ${limits}` : ''}`}>
        {value !== null && <i class={`fill tone-${lookOf(state).tone}`} style={{ width: place(value) }} />}
        {endOf(warn) !== null && <i class="limit tone-warning" style={{ left: place(endOf(warn) ?? 0) }} />}
        {endOf(crit) !== null && <i class="limit tone-critical" style={{ left: place(endOf(crit) ?? 0) }} />}
      </span>
      <span class="small right nowrap">{text}</span>
    </span>
  )
}

function Downtime({ host, check, onClose }: { readonly host: string; readonly check: string; readonly onClose: () => void }) {
  const reason = useSignal('')
  const time = useSignal('2h')
  const busy = useSignal(false)
  const failed = useSignal<string | null>(null)
  const submit = async (): Promise<void> => {
    if (!isDuration(time.value, false)) return
    busy.value = true
    const { failed: wrong } = await downtime([`host=${JSON.stringify(host)}`, `check=${JSON.stringify(check)}`], reason.value, now() + (parseDuration(time.value) ?? 0))
    busy.value = false
    failed.value = wrong[0] ?? null
    if (wrong.length > 0) return
    say(`Downtime set for ${check}`)
    onClose()
  }
  return (
    <Dialog title={<span class="any-word">Downtime for {check} on {host}</span>} onClose={onClose} submit="Set downtime" onSubmit={submit} busy={busy.value}>
      <p class="small soft">It is looked at as before, and nobody is told of it meanwhile.</p>
      <DurationField label="From now, for" value={time.value} onInput={(text) => (time.value = text)} />
      <TextField label="Reason" value={reason.value} onInput={(text) => (reason.value = text)} required autoFocus />
      {failed.value && (
        <Notice tone="critical" title="Not done:">
          {failed.value}
        </Notice>
      )}
    </Dialog>
  )
}
