// Accepting, ignoring and archiving what was found on hosts.
import { change } from '../api/ask'
import type { Answer } from '../api/answer'
import type { Decision, Item } from '../api/discovery'
import { Notice, ReasonDialog } from '../parts'
import { count } from '../time/format'
import { api } from '../url/link'
import { bringsOf, can, idOf } from './things'

/** The collector takes so many at once. */
const AT_ONCE = 1000
const SHOWN = 6

export const NAMES: Readonly<Record<Decision, string>> = { accept: 'Accept', ignore: 'Ignore', archive: 'Archive' }
const WHAT: Readonly<Record<Decision, string>> = {
  accept: 'Its checks go to its host, and its profile is assigned there.',
  ignore: 'It is not watched, and not proposed again while it is known.',
  archive: 'It is not watched any more. What is still there is proposed again only when it went and came again.',
}

export interface DecideProps {
  readonly decision: Decision
  readonly items: readonly Item[]
  readonly onClose: () => void
  readonly onDone: () => void
}

export function Decide({ decision, items, onClose, onDone }: DecideProps) {
  const able = items.filter((item) => can(decision, item))
  const send = async (reason: string): Promise<Answer<unknown>> => {
    for (let from = 0; ; from += AT_ONCE) {
      const some = able.slice(from, from + AT_ONCE)
      const answer = await change('POST', api('discovery', 'decide'), { decision, reason, items: some.map(({ host_id, key }) => ({ host: host_id, key })) })
      if (answer.kind !== 'data' || from + AT_ONCE >= able.length) return answer
      onDone()
    }
  }
  const brings = [...new Set(able.map(bringsOf).filter(Boolean))]
  return (
    <ReasonDialog
      title={`${NAMES[decision]} ${able.length === 1 ? (able[0]?.words ?? '') : count(able.length, 'thing')}`}
      submit={NAMES[decision]}
      said={`${count(able.length, 'thing')} ${decision === 'accept' ? 'accepted' : `${decision}d`}`}
      danger={decision === 'archive'}
      required={decision === 'archive'}
      ready={able.length > 0}
      send={send}
      onClose={onClose}
      onDone={onDone}
      refused={(body) => <Refused body={body} />}
    >
      <ul class="chosen-list">
        {able.slice(0, SHOWN).map((item) => (
          <li key={idOf(item)} class="cut">
            <strong>{item.words}</strong> <span class="soft">on {item.host}</span>
          </li>
        ))}
        {able.length > SHOWN && <li class="soft">and {able.length - SHOWN} more</li>}
      </ul>
      <p class="small soft any-word">
        {WHAT[decision]}
        {decision === 'accept' && brings.length > 0 && ` They bring: ${brings.slice(0, SHOWN).join('; ')}${brings.length > SHOWN ? ' and more' : ''}.`}
      </p>
      {able.length < items.length && <Notice tone="warning" title={`${count(items.length - able.length, 'thing')} left out:`}>they are {decision === 'archive' ? 'neither accepted nor gone' : 'so already'}.</Notice>}
    </ReasonDialog>
  )
}

/** Which ones hinder the others. */
function Refused({ body }: { readonly body: unknown }) {
  const rows = (body as { rows?: readonly { host: string; key: string; error: string | null }[] } | undefined)?.rows
  const wrong = Array.isArray(rows) ? rows.filter(({ error }) => error !== null) : []
  return (
    <ul class="small any-word">
      {wrong.slice(0, SHOWN).map(({ host, key, error }) => (
        <li key={`${host} ${key}`}>{error}</li>
      ))}
    </ul>
  )
}
