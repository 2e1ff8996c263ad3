// Nothing to do: said together with how fresh that is.
import type { Freshness } from '../../api/types'
import { Age, ShapeIcon } from '../../parts'
import { count } from '../../time/format'

export interface EmptyProps {
  readonly isFiltered: boolean
  readonly handled: number
  readonly freshness: Freshness | undefined
  /** When the list was asked for, in ms. */
  readonly at: number
}

/** Hosts that are not heard, in words. */
function away(hosts: Freshness['hosts']): string {
  const words = (['silent', 'unreachable', 'stopped', 'rebooting', 'unheard'] as const).filter((word) => hosts[word] > 0).map((word) => `${hosts[word]} ${word}`)
  return words.length > 0 ? ` (${words.join(', ')})` : ''
}

export function Empty({ isFiltered, handled, freshness, at }: EmptyProps) {
  if (isFiltered) {
    return (
      <div class="empty">
        <h2>No problem fits the filter</h2>
        <p>There are others: take away what you filter by.</p>
      </div>
    )
  }
  if (freshness?.hosts.active === 0) {
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
      <h2>{handled > 0 ? 'Nothing that nobody takes care of' : 'No problems'}</h2>
      {freshness && (
        <p>
          {freshness.hosts.heard} of {count(freshness.hosts.active, 'host')} heard{away(freshness.hosts)}. The newest data came <Age ms={freshness.newest_arrival_ms} after=" ago" />, rules and checks were
          looked at <Age ms={freshness.rules_ms} after=" ago" />, this list is from <Age ms={at} after=" ago" />.
        </p>
      )}
      {handled > 0 && <p>{count(handled, 'problem is', 'problems are')} handled.</p>}
    </div>
  )
}
