// The dialogs in which problems are acknowledged, silenced, or given a downtime.
import { useSignal } from '@preact/signals'
import { myName } from '../../api/me'
import { Choice, Dialog, DurationField, isDuration, Notice, say, TextField } from '../../parts'
import { now } from '../../time/clock'
import { count, parseDuration } from '../../time/format'
import { acknowledge, canAcknowledge, canTakeBack, downtime, silence, unacknowledge, type Action, type Done } from './act'
import { matches, matchersOf, silence as silenceBody, texts, type Scope } from './matchers'
import type { Problem } from './problem'

export interface ActionProps {
  readonly action: Action
  readonly problems: readonly Problem[]
  /** All that there are, to tell what a silence holds back. */
  readonly all: readonly Problem[]
  readonly onClose: () => void
  /** Something has changed. */
  readonly onDone: () => void
}

const TITLES = { acknowledge: 'Acknowledge', unacknowledge: 'Take back the acknowledgement of', silence: 'Silence', downtime: 'Downtime for' } as const
const DID = { acknowledge: 'Acknowledged', unacknowledge: 'Taken back', silence: 'Silenced', downtime: 'Downtime set' } as const

function What({ problems }: { readonly problems: readonly Problem[] }) {
  const few = problems.slice(0, 5)
  return (
    <ul class="chosen-list">
      {few.map((problem) => (
        <li key={problem.id} class="cut">
          <strong>{problem.name}</strong> {problem.host && <span class="soft">on {problem.host}</span>}
        </li>
      ))}
      {problems.length > few.length && <li class="soft">and {problems.length - few.length} more</li>}
    </ul>
  )
}

export function ActionDialog({ action, problems, all, onClose, onDone }: ActionProps) {
  const comment = useSignal('')
  const time = useSignal(action === 'acknowledge' ? '' : '2h')
  const sticky = useSignal(false)
  const scope = useSignal<Scope>('these')
  const busy = useSignal(false)
  const failed = useSignal<readonly string[]>([])

  const able = action === 'acknowledge' ? problems.filter(canAcknowledge) : action === 'unacknowledge' ? problems.filter(canTakeBack) : problems
  const matchers = matchersOf(problems, scope.value, action === 'downtime' ? 'check' : 'alertname')
  const held = all.filter((problem) => matches(problem, matchers)).length
  const until = (): number => now() + (parseDuration(time.value) ?? 0)

  const send = async (): Promise<Done> => {
    if (action === 'acknowledge') return acknowledge(able, comment.value, time.value === '' ? null : until(), sticky.value)
    if (action === 'unacknowledge') return unacknowledge(able)
    if (action === 'silence') return silence(silenceBody(matchers, myName.value, comment.value, now(), until()))
    return downtime(texts(matchers), comment.value, until())
  }
  const submit = async (): Promise<void> => {
    if (!isDuration(time.value, action === 'acknowledge' || action === 'unacknowledge')) return
    busy.value = true
    const { done, failed: wrong } = await send()
    busy.value = false
    if (done > 0) {
      say(`${DID[action]}: ${count(action === 'silence' || action === 'downtime' ? held : done, 'problem')}`)
      onDone()
    }
    if (wrong.length === 0) onClose()
    failed.value = wrong
  }
  const title = `${TITLES[action]} ${problems.length === 1 ? (problems[0]?.name ?? '') : count(problems.length, 'problem')}`
  const cannot = problems.length - able.length
  return (
    <Dialog title={title} onClose={onClose} onSubmit={submit} submit={action === 'unacknowledge' ? 'Take it back' : action === 'downtime' ? 'Set downtime' : TITLES[action]} busy={busy.value || able.length === 0}>
      <What problems={problems} />
      {cannot > 0 && (
        <Notice tone="warning" title={`${count(cannot, 'problem')} cannot be acknowledged:`}>
          only those of checks and of hosts that are away can; silence the others.
        </Notice>
      )}
      {(action === 'silence' || action === 'downtime') && (
        <div class="field">
          <span>What is held back</span>
          <div>
            <Choice
              label="What is held back"
              value={scope.value}
              choices={[['these', 'These problems'], ['hosts', 'All on these hosts'], ['names', 'These on every host']]}
              onChoose={(value) => (scope.value = value)}
            />
          </div>
          <small>
            <code class="any-word">{texts(matchers).join(', ') || 'nothing to tell them by'}</code>: {count(held, 'problem')} that there are now
            {held > problems.length && <strong>, {held - problems.length} more than chosen</strong>}
          </small>
        </div>
      )}
      {action !== 'unacknowledge' && (
        <>
          <DurationField label="How long" value={time.value} onInput={(text) => (time.value = text)} {...(action === 'acknowledge' ? { none: 'Until it ends' } : {})} />
          <TextField label={action === 'downtime' ? 'Reason' : 'Comment'} value={comment.value} onInput={(text) => (comment.value = text)} lines={2} required={action !== 'acknowledge'} autoFocus note="Whoever looks at it reads this" />
        </>
      )}
      {action === 'acknowledge' && (
        <label class="check-line">
          <input type="checkbox" checked={sticky.value} onChange={(event) => (sticky.value = event.currentTarget.checked)} />
          Keep it when the state changes, such as from warning to critical
        </label>
      )}
      {failed.value.length > 0 && (
        <Notice tone="critical" title={`${count(failed.value.length, 'change')} failed:`}>
          <ul>
            {failed.value.slice(0, 8).map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </Notice>
      )}
    </Dialog>
  )
}
