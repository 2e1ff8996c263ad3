// Why nobody is told of a problem, and what else is odd about it.
import type { Hold } from '../../api/types'
import { own } from '../../api/own'
import { Moment } from '../../parts'
import type { Problem } from './problem'

const WORDS: Readonly<Record<string, string>> = {
  acknowledged: 'Acknowledged',
  downtime: 'Downtime',
  host_absent: 'Host absent',
  parent_down: 'Parent down',
  flapping: 'Flapping',
  catching_up: 'Catching up',
  expected_absence: 'Expected absence',
  maintenance: 'Told by its maintenance',
  inhibited: 'Inhibited',
  mute_time: 'Mute time',
  silenced: 'Silenced',
  no_data: 'No data',
  storm: 'In a storm',
}

export function wordOf(why: string): string {
  return own(WORDS, why) ?? why
}

export function HoldText({ hold }: { readonly hold: Hold }) {
  return (
    <>
      {wordOf(hold.why)}
      {hold.by && <> by {hold.by}</>}
      {hold.until_ms !== null && (
        <>
          {' '}
          until <Moment ms={hold.until_ms} short />
        </>
      )}
    </>
  )
}

export function Badges({ problem }: { readonly problem: Problem }) {
  return (
    <>
      {problem.soft && (
        <span class="badge" title="Seen so often; told of when it has been seen often enough">
          {problem.soft}
        </span>
      )}
      {problem.isFlapping && (
        <span class="badge tone-warning" title="It goes to and fro">
          Flapping
        </span>
      )}
      {problem.holds
        .filter((hold) => !(hold.why === 'flapping' && problem.isFlapping))
        .map((hold) => (
          <span key={hold.why + hold.by} class="badge tone-busy" title={hold.by}>
            {wordOf(hold.why)}
            {hold.until_ms !== null && (
              <>
                {' '}
                until <Moment ms={hold.until_ms} short />
              </>
            )}
          </span>
        ))}
    </>
  )
}
