// Profiles: what hosts of a kind are watched by, how a change of it reaches them, and writing them.
import { useSignal } from '@preact/signals'
import { may } from '../../api/me'
import { tellsProfiles, type Profile, type ProfileList, type ProfileVersion, type Rollout } from '../../api/profiles'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Code, Lack, Link, Notice, Section, SmallTable, Tabs } from '../../parts'
import { useHeading } from '../../shell/heading'
import { api, to } from '../../url/link'
import { param } from '../../url/query'
import { Edit } from './Edit'
import { isOpen, waveOf } from './rollout'
import { Rollouts, Versions } from './Rollouts'
import './profiles.css'

/** How far a roll-out is has no event. */
const EVERY_MS = 10_000
const view = param('view', 'profiles')
const named = param('profile')

export default function Profiles() {
  useHeading('Profiles')
  const news = { topic: 'events', isNews: tellsProfiles, every: EVERY_MS } as const
  const asked = useAnswer<ProfileList>(() => [api('profiles')], news)
  const rolled = useAnswer<{ rollouts: readonly Rollout[] }>(() => [api('profiles', 'rollouts')], news)
  const made = useAnswer<{ versions: readonly ProfileVersion[] }>(() => (view.value === 'versions' ? [api('profiles', 'versions')] : null), { ...news, every: 60_000 })
  const editing = useSignal<{ readonly text: string; readonly remove?: string } | null>(null)
  const [known, rollouts, versions] = [useShown(asked).value, useShown(rolled).value?.rollouts, useShown(made).value?.versions]
  const again = (): void => {
    asked.again()
    rolled.again()
  }
  const open = rollouts?.[0] && isOpen(rollouts[0]) ? rollouts[0] : null
  return (
    <div class="page profiles">
      <Tabs label="Views of profiles" name="view" tab={view} tabs={[['profiles', 'Profiles'], ['rollouts', 'Roll-outs'], ['versions', 'Versions']]} />
      <Lack answer={asked.answer.value} what="profiles" onAgain={asked.again} />
      <Lack answer={rolled.answer.value} what="roll-outs" onAgain={rolled.again} />
      <Lack answer={made.answer.value} what="versions" onAgain={made.again} />
      {open && view.value !== 'rollouts' && (
        <Notice tone={open.state === 'stopped' ? 'critical' : 'busy'} title={`The roll-out of version ${open.set} is ${open.state}:`}>
          {waveOf(open)}. <Link to={to(['profiles'], { view: 'rollouts' })}>See it</Link>
        </Notice>
      )}
      {view.value === 'rollouts' ? (
        rollouts && <Rollouts rollouts={rollouts} onDone={again} />
      ) : view.value === 'versions' ? (
        versions && <Versions versions={versions} />
      ) : editing.value ? (
        <Edit {...editing.value} onClose={() => (editing.value = null)} onDone={again} />
      ) : (
        <>
          {named.value && <One key={named.value} name={named.value} onEdit={(text) => (editing.value = { text })} onRemove={(remove) => (editing.value = { text: '', remove })} />}
          {known && <All profiles={known.profiles} set={known.set} onNew={() => (editing.value = { text: '' })} />}
        </>
      )}
      {!known && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for profiles" />}
    </div>
  )
}

const sourceOf = (one: Profile): string => (one.source === 'file' ? `file ${one.file ?? ''}` : one.source.replace('_', ' '))

function All({ profiles, set, onNew }: { readonly profiles: readonly Profile[]; readonly set: number; readonly onNew: () => void }) {
  return (
    <Section title="All profiles" note={`version ${set}`} actions={may('admin') && <Button small kind="accent" onClick={onNew}>New profile ...</Button>}>
      <SmallTable
        label="All profiles"
        heads={[['Name'], ['In force on', 'right'], ['Fits', 'right'], ['Accepts itself', 'wide'], ['By hand', 'right wide'], ['Logs', 'right wide'], ['Checks', 'right wide'], ['Source', 'wide']]}
        rows={profiles.map((one) => ({
          key: `${one.name} ${one.source}`,
          ...(one.hidden_by ? { class: 'soft' } : {}),
          cells: [
            <>
              <Link to={to(['profiles'], { profile: one.name })} title={one.description} class="any-word">{one.name}</Link> {one.hidden_by && <span class="badge">hidden by {one.hidden_by}</span>}
              {one.problem && <div class="small tone-critical any-word">{one.problem}</div>}
            </>,
            one.hosts, one.fits, one.accept === 'auto' ? 'yes' : 'no, assign it', one.assigned, one.logs,
            <>{one.checks}{one.has_rules && ' and rules'}</>,
            <span class="soft any-word">{sourceOf(one)}</span>,
          ],
        }))}
        none="No profiles."
      />
    </Section>
  )
}

function One({ name, onEdit, onRemove }: { readonly name: string; readonly onEdit: (text: string) => void; readonly onRemove: (name: string) => void }) {
  const asked = useAnswer<{ profile: Profile; hidden?: readonly Profile[] }>(() => [api('profiles', 'named', name)], { every: 60_000 })
  const known = useShown(asked).value
  const one = known?.profile
  return (
    <>
      <Lack answer={asked.answer.value} what={`profile ${name}`} onAgain={asked.again} />
      {one && (
        <Section
          title={<span class="any-word">{one.name}</span>}
          note={sourceOf(one)}
          actions={
            <>
              {may('admin') && one.source !== 'file' && <Button small onClick={() => onEdit(one.text ?? '')}>{one.source === 'api' ? 'Edit' : 'Edit as its own'} ...</Button>}
              {may('admin') && one.source === 'api' && <Button small kind="danger" onClick={() => onRemove(one.name)}>Remove ...</Button>}
              <Button small kind="quiet" onClick={() => named.push('')}>Close</Button>
            </>
          }
        >
          <div class="inside">
            <p class="any-word">{one.description}</p>
            <p class="small soft any-word">
              In force on {one.hosts}, fits {one.fits}, assigned to {one.assigned}; {one.accept === 'auto' ? 'in force on every host that it fits' : 'in force where it is assigned'}.
              {one.include.length > 0 && ` Includes ${one.include.join(', ')}.`}
              {one.source === 'file' && ' It is changed in its file.'}
            </p>
            <Code text={one.text ?? ''} />
            {known.hidden?.map((other) => <details key={other.source}><summary>It hides that of {sourceOf(other)}</summary><Code text={other.text ?? ''} /></details>)}
          </div>
        </Section>
      )}
    </>
  )
}
