// What was deployed and what changed before an alert began and may be its reason, the likeliest first; and what its hosts have that others have not.
import type { Suspects } from '../api/inventory'
import { useAnswer, useShown } from '../api/useAnswer'
import { Code, Lack, Link } from '../parts'
import { quarter } from '../time/clock'
import { shortTime } from '../time/format'
import { api, isPage } from '../url/link'
import { isUtc } from '../url/range'
import { ChangeMark } from './ChangeMark'
import { betweenOf } from './words'
import './before.css'

/** Suspects that are shown; the command tells all of them. */
const SHOWN = 5
/** Hosts of a suspect that are named. */
const NAMED = 3
/** What comes late about the time before the alert. */
const EVERY_MS = 60_000

export interface BeforeProps {
  /** The alert's id. */
  readonly alert: string
  readonly title: string
}

export function Before({ alert, title }: BeforeProps) {
  const asked = useAnswer<Suspects>(() => [api('alerts', alert, 'changes'), { limit: SHOWN }], { every: EVERY_MS })
  const known = useShown(asked).value
  return (
    <section class="card pad stack before" aria-label={title}>
      <h2>{title}</h2>
      <Lack answer={asked.answer.value} what="changes before it" onAgain={asked.again} flat />
      {known && known.suspects.length === 0 && <p class="soft">Nothing of its host changed in the 24 h before it, and nothing was deployed.</p>}
      {known && known.suspects.length > 0 && (
        <ol>
          {known.suspects.map(({ change, page, hosts, why }, place) => (
            <li key={`${change.until_ms} ${change.table} ${place}`}>
              <span class="row">
                <time class="small soft nowrap" title={betweenOf(change.after_ms, change.until_ms, isUtc.value)}>
                  {shortTime(change.until_ms, quarter.peek(), isUtc.value)}
                </time>
                <ChangeMark kind={change.kind} short />
                <span class="any-word grow">{isPage(page) ? <Link to={page}>{change.words}</Link> : change.words}</span>
              </span>
              <span class="small soft any-word">
                {hosts.slice(0, NAMED).join(', ')}
                {hosts.length > NAMED && ` and ${hosts.length - NAMED} more`}
                {why && `: ${why}`}
              </span>
            </li>
          ))}
        </ol>
      )}
      {known?.contrast && <p class="any-word">What sets its hosts apart: {known.contrast.words}</p>}
      {known && <p class="small soft any-word">{[known.note, known.is_partial && 'There was more than is looked at.'].filter(Boolean).join(' ')}</p>}
      <Code text={`muster changes --for ${alert}`} />
    </section>
  )
}
