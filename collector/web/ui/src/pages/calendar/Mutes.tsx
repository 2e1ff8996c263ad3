// The time intervals of the configuration, in which routes tell nothing, or outside of which they do. A collector that does not tell of them has none here.
import type { Mutes } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Section, SmallTable } from '../../parts'
import { api } from '../../url/link'
import { periodWords } from './items'

const EVERY_MS = 60_000

export function MuteTimes() {
  const intervals = useShown(useAnswer<Mutes>(() => [api('mutes')], { every: EVERY_MS })).value?.intervals ?? []
  if (intervals.length === 0) return null
  return (
    <Section title="Times of the configuration" note="Set in the alerting file">
      <SmallTable
        label="Times of the configuration"
        heads={[['Now'], ['Name'], ['When'], ['What it does', 'wide'], ['Changes', 'right']]}
        rows={intervals.map((one) => ({
          key: one.name,
          cells: [
            <span class={`badge tone-${one.is_on ? 'busy' : 'off'}`}>{one.is_on ? 'on' : 'off'}</span>,
            <strong>{one.name}</strong>,
            one.periods.map((period) => <div key={JSON.stringify(period)}>{periodWords(period)}</div>),
            <>
              {one.mutes.map((use) => <div key={use.route} title={use.route}>mutes <b>{use.receiver}</b> <span class="soft small any-word">{use.route}</span></div>)}
              {one.activates.map((use) => <div key={use.route} title={use.route}><b>{use.receiver}</b> is told only then <span class="soft small any-word">{use.route}</span></div>)}
              {one.mutes.length + one.activates.length === 0 && <span class="soft">no route uses it</span>}
            </>,
            one.next_change_ms === null ? <span class="soft">not within 8 d</span> : <Age ms={one.next_change_ms} />,
          ],
        }))}
        none=""
      />
    </Section>
  )
}
