// Documents of profiles, written in the page: planned first, then put in force with a reason.
import { useSignal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import { change } from '../../api/ask'
import { lacking, type Answer } from '../../api/answer'
import type { ProfilePlan } from '../../api/profiles'
import { Button, Failed, Notice, ReasonDialog, Section, TextField, useDoing } from '../../parts'
import { count } from '../../time/format'
import { api } from '../../url/link'
import { inWords, mistakesOf, spanOf } from './rollout'

/** What mistakes call the text. */
const DOCUMENT = 'page.yml'
const EXAMPLE = "profile: shop\ndescription: The shop's own logs.\nselector:\n  labels: '{role=\"web\"}'\naccept: auto\nlogs:\n- paths: [/var/log/shop/*.log]\n  labels: {app: shop}"

export interface EditProps {
  /** What is begun with. */
  readonly text: string
  /** Removed instead of written. */
  readonly remove?: string | undefined
  readonly onClose: () => void
  readonly onDone: () => void
}

export function Edit({ text, remove, onClose, onDone }: EditProps) {
  const draft = useSignal(text)
  const planned = useSignal<{ readonly of: string; readonly plan: ProfilePlan } | null>(null)
  const isApplying = useSignal(false)
  const doing = useDoing()
  const held = useRef<HTMLDivElement>(null)
  const body = remove === undefined ? { documents: [{ name: DOCUMENT, text: draft.value }] } : { remove: [remove] }
  const plan = async (): Promise<void> => {
    const of = draft.peek()
    planned.value = null
    const done = await doing.run(change<{ plan: ProfilePlan }>('POST', api('profiles', 'plan'), body))
    if (done) planned.value = { of, plan: done.plan }
  }
  const goTo = (line: number): void => {
    const area = held.current?.querySelector('textarea')
    area?.focus()
    area?.setSelectionRange(...spanOf(draft.peek(), line))
  }
  // What was planned is of that text alone.
  const known = planned.value?.of === draft.value ? planned.value.plan : null
  const failed = doing.failed.value
  const mistakes = failed?.kind === 'refused' ? mistakesOf(failed.message, DOCUMENT) : []
  const send = (reason: string): Promise<Answer<unknown>> => (known ? change('POST', api('profiles', 'apply'), { ...body, base: known.base, reason }) : Promise.resolve(lacking('half', 0)))
  return (
    <Section title={remove === undefined ? 'Write profiles' : <span class="any-word">Remove {remove}</span>} actions={<Button small onClick={onClose}>Leave</Button>}>
      <div class="inside profile-edit" ref={held}>
        {remove === undefined && <TextField label="Documents" value={draft.value} onInput={(now) => (draft.value = now)} lines={18} placeholder={EXAMPLE} note="YAML, one profile or several with --- between. A profile of the same name is given instead." />}
        <div class="row">
          <Button kind={known ? 'plain' : 'accent'} disabled={doing.busy.value || (remove === undefined && !draft.value.trim())} onClick={() => void plan()}>Plan</Button>
          {known && <Button kind="accent" onClick={() => (isApplying.value = true)}>Apply ...</Button>}
          <span class="small soft">A plan changes nothing.</span>
        </div>
        {mistakes.length === 0 ? <Failed doing={doing} /> : mistakes.map(({ line, text: what }, at) => (
          <Notice key={at} tone="critical" title={line !== null && <Button small onClick={() => goTo(line)}>Line {line}</Button>}><span class="any-word">{what}</span></Notice>
        ))}
        {mistakes.length > 0 && failed?.kind === 'refused' && failed.remedy && <p class="small soft any-word">{failed.remedy}</p>}
        {known && <Planned plan={known} />}
      </div>
      {isApplying.value && known && (
        <ReasonDialog title="Apply this plan" submit="Apply" said="It is applied" required send={send} onClose={() => (isApplying.value = false)} onDone={() => { onDone(); onClose() }}>
          <p>{count(known.hosts, 'host')} {known.hosts === 1 ? 'gets' : 'get'} another configuration{known.hosts > 0 && ': one host first, then 5 %, then all'}.</p>
        </ReasonDialog>
      )}
    </Section>
  )
}

/** What would be: profiles, hosts with what changes in their documents, and what hinders. */
function Planned({ plan }: { readonly plan: ProfilePlan }) {
  const lists = [['Added', plan.added], ['Changed', plan.changed], ['Removed', plan.removed], ['Rules change of', plan.rules], ['Take no configuration', plan.unable]] as const
  return (
    <div class="stack" role="region" aria-label="Plan">
      <strong>{plan.hosts === 0 ? 'The configuration of no host changes' : `The configuration of ${count(plan.hosts, 'host')} changes`}</strong>
      <dl class="facts">
        {lists.map(([name, all]) => all.length > 0 && <><dt>{name}</dt><dd class="any-word">{all.join(', ')}</dd></>)}
      </dl>
      {plan.rollout && <Notice tone="warning" title={`The roll-out of version ${plan.rollout.set} is open:`}>this one takes over from it ({inWords(plan.rollout)}).</Notice>}
      {plan.problems.length > 0 && <Notice tone="warning" title="Left out:"><ul class="any-word">{plan.problems.map((one, at) => <li key={at}>{one}</li>)}</ul></Notice>}
      {plan.shown.map(({ id, name, diff }, at) => (
        <details key={id} open={at === 0}>
          <summary class="any-word">{name}</summary>
          <pre class="diff mono small" tabIndex={0} aria-label={`What changes on ${name}`}>{diff.split('\n').map((line, place) => <span key={place} class={line.startsWith('+') ? 'tone-ok' : line.startsWith('-') ? 'tone-critical' : undefined}>{line}{'\n'}</span>)}</pre>
        </details>
      ))}
      {plan.hosts > plan.shown.length && <span class="small soft">and {plan.hosts - plan.shown.length} more hosts</span>}
    </div>
  )
}
