// Who holds an alert back: the silence with its author and reason, the downtime with its own, else the words of the hold.
import type { Downtimes, Hold, Silence } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Lack, Link, Moment, Notice } from '../../parts'
import { api } from '../../url/link'
import { HoldText } from '../problems/Holds'

export function HeldBack({ holds }: { readonly holds: readonly Hold[] }) {
  const has = (why: Hold['why']): boolean => holds.some((hold) => hold.why === why)
  const silences = useAnswer<readonly Silence[]>(() => (has('silenced') ? ['/api/v2/silences'] : null), { topic: 'silences' })
  const downtimes = useAnswer<Downtimes>(() => (has('downtime') ? [api('downtimes')] : null), { topic: 'downtimes' })
  const [known, planned] = [useShown(silences).value ?? [], useShown(downtimes).value?.downtimes ?? []]
  if (holds.length === 0) return null
  return (
    <Notice tone="busy" title="Held back:">
      <ul class="holds">
        {holds.map((hold) => {
          const silence = hold.why === 'silenced' ? known.find(({ id }) => id === hold.by) : undefined
          const downtime = hold.why === 'downtime' ? planned.find(({ id }) => String(id) === hold.by.replace(/^\D+/, '')) : undefined
          const by = silence ? [silence.createdBy, silence.comment] : downtime ? [downtime.by, downtime.reason] : null
          return (
            <li key={hold.why + hold.by} class="any-word">
              {by ? (
                <>
                  <Link to="/calendar">{silence ? 'Silence' : 'Downtime'}</Link> by {by[0]}
                  {by[1] && `: ${by[1]}`}
                  {hold.until_ms !== null && (
                    <span class="soft">
                      {' '}
                      until <Moment ms={hold.until_ms} short />
                    </span>
                  )}
                </>
              ) : (
                <HoldText hold={hold} />
              )}
            </li>
          )
        })}
      </ul>
      <Lack answer={silences.answer.value} what="silences" onAgain={silences.again} flat />
      <Lack answer={downtimes.answer.value} what="downtimes" onAgain={downtimes.again} flat />
    </Notice>
  )
}
