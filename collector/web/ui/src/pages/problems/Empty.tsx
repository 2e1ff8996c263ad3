// Nothing to do: said together with how fresh that is.
import { useComputed } from '@preact/signals'
import { useAnswer, useShown } from '../../api/useAnswer'
import type { Hosts, Status } from '../../api/types'
import { Age, ShapeIcon } from '../../parts'
import { count } from '../../time/format'
import { api } from '../../url/link'

export interface EmptyProps {
  readonly isFiltered: boolean
  readonly handled: number
  readonly status: Status | undefined
  /** When the list was asked for, in ms. */
  readonly at: number
}

export function Empty({ isFiltered, handled, status, at }: EmptyProps) {
  const hosts = useShown(useAnswer<Hosts>(() => [api('hosts')], { every: 30_000 }))
  const newest = useComputed(() => (hosts.value?.hosts ?? []).reduce<number | null>((last, { last_arrival_ms: ms }) => (ms !== null && ms > (last ?? 0) ? ms : last), null))
  if (isFiltered) {
    return (
      <div class="empty">
        <h2>No problem fits the filter</h2>
        <p>There are others: take away what you filter by.</p>
      </div>
    )
  }
  const presence = status?.hosts.by_presence ?? {}
  const known = Object.values(presence).reduce((sum, n) => sum + n, 0)
  const up = presence['up'] ?? 0
  if (status && known === 0) {
    return (
      <div class="empty">
        <h2>No host sends anything yet</h2>
        <p>
          So there is nothing that could be wrong. <code>muster token new --name HOST</code> makes the word with which a host is enrolled.
        </p>
      </div>
    )
  }
  return (
    <div class="empty">
      <ShapeIcon shape="check" size={36} />
      <h2>{handled > 0 ? 'Nothing that nobody has' : 'No problems'}</h2>
      <p>
        {up} of {count(known, 'host')} up. The newest data came <Age ms={newest.value} after=" ago" />; this list is from <Age ms={at} after=" ago" />.
        {handled > 0 && ` ${count(handled, 'problem is', 'problems are')} handled.`}
      </p>
    </div>
  )
}
