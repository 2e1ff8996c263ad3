// What was dropped or refused in the range, by reason; what was not is folded.
import { useMemo } from 'preact/hooks'
import type { Status } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Lack, Section, SmallTable, Spark } from '../../parts'
import { now } from '../../time/clock'
import { count, number } from '../../time/format'
import { path } from '../../url/link'
import { param } from '../../url/query'
import { range, span, step } from '../../url/range'
import { drops, DROPS_QUERY, isZero, stepsOf, type Series } from './counters'

const zeros = param('zeros')
/** A line of so many points says enough. */
const POINTS = 60
/** The collector writes its own numbers down as often. */
const [LEAST_STEP_MS, EVERY_MS] = [15_000, 15_000]

interface Matrix {
  readonly data: { readonly result: readonly Series[] }
}

export function Drops({ status }: { readonly status: Status }) {
  // Both ends on whole steps, so that the question and its times stay the same for one; what lies ahead has the newest value.
  const range_ = range.value
  const { from, to, each, times } = useMemo(() => {
    const { from, to } = span(range_, now())
    const each = step({ from, to }, POINTS, LEAST_STEP_MS)
    const whole = { from: Math.floor(from / each) * each, to: Math.ceil(to / each) * each }
    return { ...whole, each, times: stepsOf(whole.from, whole.to, each) }
  }, [range_, status])
  const asked = useAnswer<Matrix>(() => [path('api', 'v1', 'query_range'), { query: DROPS_QUERY, start: from / 1000, end: to / 1000, step: each / 1000 }], { every: EVERY_MS })
  const known = useShown(asked)
  const all = drops(status.numbers, known.value?.data.result, times, status.collector.started_ms)
  const some = all.filter((drop) => !isZero(drop))
  const shown = zeros.value === 'shown' ? all : some
  const rest = all.length - some.length
  return (
    <Section title="Dropped and refused" note={some.length === 0 ? 'nothing' : count(some.length, 'reason')}>
      <Lack answer={asked.answer.value} what="numbers of the past" flat />
      <SmallTable
        label="Dropped and refused"
        heads={[['What'], ['Why'], ['In the range', 'right'], ['Over time', 'wide'], ['Since start', 'right wide']]}
        rows={shown.map((drop) => ({
          key: drop.key,
          ...(isZero(drop) ? { class: 'zero' } : {}),
          cells: [
            <span title={`${drop.help} ${drop.name}`}>
              {drop.what} <span class="soft">{drop.did}</span>
            </span>,
            drop.why || <span class="soft">-</span>,
            drop.inRange === null ? <span class="soft" title="Its history does not tell">-</span> : number(drop.inRange),
            <span class="line">{drop.inRange ? <Spark values={drop.steps} low={0} label={`${drop.what} ${drop.did} over time`} /> : null}</span>,
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
