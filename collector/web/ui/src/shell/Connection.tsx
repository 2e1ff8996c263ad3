// How well the page hears the collector, and whether the clocks agree.
import { live } from '../api/live'
import { Notice } from '../parts/Notice'
import { Age } from '../parts/Time'
import { isSkewed, skew } from '../time/clock'
import { duration } from '../time/format'

const WORDS = { connecting: 'Connecting', connected: 'Live', behind: 'Connecting again', away: 'Not live' } as const

/** In the header. */
export function Connection() {
  const { link, since } = live.value
  const kind = link === 'connecting' ? 'behind' : link
  return (
    <span class={`link-state ${kind}`} role="status" title={link === 'connected' ? 'Changes are shown as they happen' : 'Changes are asked for every 15 s'}>
      <i aria-hidden="true" />
      <span class="word">
        {WORDS[link]}
        {link === 'away' && since > 0 && (
          <>
            {' '}
            <Age ms={since} before="for " />
          </>
        )}
      </span>
    </span>
  )
}

/** Over the whole width, where something is wrong that makes what is shown wrong. */
export function Strips() {
  return (
    <div class="strips">
      {isSkewed.value && (
        <Notice tone="warning" flat title={`This browser's clock is ${duration(Math.abs(skew.value))} ${skew.value > 0 ? 'behind' : 'ahead of'} the collector's.`}>
          Ages are told by the collector's clock; times you choose are by yours.
        </Notice>
      )}
    </div>
  )
}
