// What was lost, dropped or refused in the range, by reason, with what helps; what was not is folded. And what hosts say that they lost.
import { useMemo } from 'preact/hooks'
import type { Matrix, Status } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Lack, Link, Section, SmallTable, Spark } from '../../parts'
import { now, quarter } from '../../time/clock'
import { count, number } from '../../time/format'
import { path, to } from '../../url/link'
import { param } from '../../url/query'
import { range, span, step } from '../../url/range'
import { drops, hostLosses, isZero, stepsOf, type Instant } from './counters'
import { HOSTS_QUERY, LOSSES_QUERY } from './losses'

const zeros = param('zeros')
/** A line of so many points says enough. */
const POINTS = 60
/** The collector writes its own numbers down as often. */
const [LEAST_STEP_MS, EVERY_MS] = [15_000, 15_000]
/** More hosts than these have one cause. */
const HOSTS_SHOWN = 50

function What({ what, why, help = '', remedy }: { readonly what: string; readonly why: string; readonly help?: string; readonly remedy: string }) {
  return (
    <>
      {what}
      {why && <span class="tone-warning">: {why}</span>}
      <div class="soft small any-word">
        {help.replace(/([^.])$/, '$1.')} {remedy}
      </div>
    </>
  )
}

const or = (value: number | null) => (value === null ? <span class="soft" title="Its history does not tell">-</span> : number(value))

export function Drops({ status }: { readonly status: Status }) {
  // Both ends on whole steps, so that the question and its times stay the same for one; what lies ahead has the newest value.
  const range_ = range.value
  const { from, to, each, times } = useMemo(() => {
    const { from, to } = span(range_, now())
    const each = step({ from, to }, POINTS, LEAST_STEP_MS)
    const whole = { from: Math.floor(from / each) * each, to: Math.ceil(to / each) * each }
    return { ...whole, each, times: stepsOf(whole.from, whole.to, each) }
  }, [range_, status])
  const asked = useAnswer<Matrix>(() => [path('api', 'v1', 'query_range'), { query: LOSSES_QUERY, start: from / 1000, end: to / 1000, step: each / 1000 }], { every: EVERY_MS })
  const known = useShown(asked)
  const all = drops(status.numbers, known.value?.data.result, times, status.collector.started_ms)
  const some = all.filter((drop) => !isZero(drop))
  const shown = zeros.value === 'shown' ? all : some
  const rest = all.length - some.length
  return (
    <Section title="Lost, dropped and refused" note={some.length === 0 ? 'nothing' : count(some.length, 'reason')}>
      <Lack answer={asked.answer.value} what="numbers of the past" flat />
      <SmallTable
        label="Dropped and refused"
        heads={[['What, why, and what helps'], ['Over time', 'wide'], ['In the range', 'right'], ['Since start', 'right wide']]}
        rows={shown.map((drop) => ({
          key: drop.key,
          ...(isZero(drop) ? { class: 'zero' } : {}),
          cells: [
            <What {...drop} />,
            <span class="line">{drop.inRange ? <Spark values={drop.steps} low={0} label={`${drop.what} over time`} /> : null}</span>,
            or(drop.inRange),
            number(drop.sinceStart),
          ],
        }))}
        none="Nothing was dropped and nothing refused: everything that came is kept."
      />
      {rest > 0 && (
        <div class="fold">
          <Button small kind="quiet" pressed={zeros.value === 'shown'} onClick={() => (zeros.value = zeros.value === 'shown' ? '' : 'shown')}>
            {zeros.value === 'shown' ? 'Hide those that are 0' : `${count(rest, 'counter')} at 0`}
          </Button>
        </div>
      )}
    </Section>
  )
}

/** Of all hosts, what their agents count; and the same at the beginning of the range. */
export function HostDrops() {
  const asked = useAnswer<Instant>(() => [path('api', 'v1', 'query'), { query: `${HOSTS_QUERY} > 0` }], { every: 4 * EVERY_MS })
  const known = useShown(asked).value
  const begin = useMemo(() => span(range.value, quarter.peek()).from / 1000, [range.value, known])
  const before = useAnswer<Instant>(() => (known?.data.result.length ? [path('api', 'v1', 'query'), { query: HOSTS_QUERY, time: begin }] : null))
  const rows = known ? hostLosses(known, useShown(before).value) : (useShown(before), [])
  return (
    <Section title="Lost on hosts" note={known && (rows.length === 0 ? 'nothing' : count(new Set(rows.map((row) => row.host)).size, 'host'))}>
      <Lack answer={asked.answer.value} what="numbers of hosts" flat />
      {known && (
        <SmallTable
          label="Lost on hosts"
          heads={[['Host'], ['What, why, and what helps'], ['In the range', 'right'], ['Since its start', 'right wide']]}
          rows={rows.slice(0, HOSTS_SHOWN).map((row) => ({
            key: row.key,
            cells: [<Link to={to(['hosts', row.host])}>{row.host}</Link>, <What {...row} />, or(row.inRange), number(row.sinceStart)],
          }))}
          none="No agent that reports says that it lost anything."
        />
      )}
      {rows.length > HOSTS_SHOWN && <p class="fold soft small">and {rows.length - HOSTS_SHOWN} more rows</p>}
    </Section>
  )
}
