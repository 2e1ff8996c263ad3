// How a host is monitored, and by what: its configuration, the profiles that it is made of, and what was found on it.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import { may } from '../../api/me'
import { tellsProfiles, type Assignment, type HostConfiguration, type ProfileList } from '../../api/profiles'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Found } from '../../discovery/Found'
import { Age, Button, Code, Lack, Link, Notice, ReasonDialog, Section, StateMark } from '../../parts'
import { count } from '../../time/format'
import { api, to } from '../../url/link'

/** What the host says of it has no event of its own. */
const EVERY_MS = 15_000
const NEWS = { topic: 'events', isNews: tellsProfiles, every: EVERY_MS } as const

type Acting = { readonly verb: 'assign' | 'unassign'; readonly profile: string }

export function SetUp({ host }: { readonly host: string }) {
  const asked = useAnswer<{ configuration: HostConfiguration }>(() => [api('hosts', host, 'configuration')], NEWS)
  const assigned = useAnswer<{ assignments: readonly Assignment[] }>(() => [api('profiles', 'assigned')], NEWS)
  const own = useShown(asked).value?.configuration
  const assignments = (useShown(assigned).value?.assignments ?? []).filter((one) => one.host === host)
  const acting = useSignal<Acting | null>(null)
  const again = (): void => {
    asked.again()
    assigned.again()
  }
  return (
    <>
      <Lack answer={asked.answer.value} what="its configuration" onAgain={asked.again} />
      <Lack answer={assigned.answer.value} what="its assigned profiles" onAgain={assigned.again} />
      {own ? <Configuration host={host} own={own} assignments={assignments} onAct={(one) => (acting.value = one)} onDone={again} /> : asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for the configuration" />}
      <h2>What was found on it</h2>
      <Found own={host} />
      {acting.value && (
        <ReasonDialog
          title={acting.value.verb === 'assign' ? `Put profile ${acting.value.profile} in force on ${host}` : `Take profile ${acting.value.profile} back from ${host}`}
          submit={acting.value.verb === 'assign' ? 'Assign' : 'Take it back'}
          said={acting.value.verb === 'assign' ? `${acting.value.profile} is assigned` : `${acting.value.profile} is no more assigned`}
          danger={acting.value.verb === 'unassign'}
          send={(reason) => change(acting.value?.verb === 'assign' ? 'PUT' : 'DELETE', api('hosts', host, 'profiles', acting.value?.profile ?? ''), { reason })}
          onClose={() => (acting.value = null)}
          onDone={again}
        >
          <p class="small soft">{acting.value.verb === 'assign' ? 'It counts whether its selector fits or not; the host gets it at once.' : 'It stays in force where it fits and accepts itself.'}</p>
        </ReasonDialog>
      )}
    </>
  )
}

interface ConfigurationProps {
  readonly host: string
  readonly own: HostConfiguration
  readonly assignments: readonly Assignment[]
  readonly onAct: (acting: Acting) => void
  readonly onDone: () => void
}

function Configuration({ host, own, assignments, onAct, onDone }: ConfigurationProps) {
  const isRetrying = useSignal(false)
  const { told } = own
  const mayChange = may('admin')
  const profile = (name: string) => <Link to={to(['profiles'], { profile: name })} class="any-word">{name}</Link>
  return (
    <Section title="Configuration" note={own.number > 0 ? `number ${own.number}, of version ${own.set} of all profiles` : 'none was ever offered'}>
      <div class="inside">
        <div class="row">
          <StateMark state={told?.word ?? 'none'} size={16} />
          {told ? <span class="soft"><Age ms={told.at_ms} before="told " after=" ago" /></span> : <span class="soft">the host has told nothing of it yet</span>}
          {own.reads === false && <span class="badge tone-warning">its agent takes no configuration</span>}
          {own.reads == null && <span class="badge">not connected</span>}
        </div>
        {own.set_back && (
          <Notice tone="critical" title="It was set back to the one before:">
            <span class="any-word">{own.set_back}</span>
            {mayChange && <div><Button small onClick={() => (isRetrying.value = true)}>Try again ...</Button></div>}
          </Notice>
        )}
        {own.reads === false && <p class="small soft">Allow it in the host's own agent.toml, or update the agent; `muster-agent doctor` says which.</p>}
        <Problems title="The host says of it:" problems={told?.problems ?? []} />
        <Problems title="Left out of it:" problems={own.problems} />
        <dl class="facts">
          <dt>Profiles in force</dt>
          <dd>
            {own.profiles.length === 0 && <span class="soft">none</span>}
            <ul aria-label="Profiles in force">
              {own.profiles.map((name) => {
                const by = assignments.find((one) => one.profile === name)
                return (
                  <li key={name} class="row">
                    {profile(name)}
                    {by && <span class="small soft any-word">assigned by {by.by}{by.reason && `: ${by.reason}`}</span>}
                    {by && mayChange && <Button small kind="quiet" name={`Take back ${name}`} onClick={() => onAct({ verb: 'unassign', profile: name })}>Take back</Button>}
                  </li>
                )
              })}
              {assignments.filter((one) => !own.profiles.includes(one.profile)).map((one) => (
                <li key={one.profile} class="row">
                  {profile(one.profile)} <span class="badge">assigned, not yet in force</span>
                  {mayChange && <Button small kind="quiet" name={`Take back ${one.profile}`} onClick={() => onAct({ verb: 'unassign', profile: one.profile })}>Take back</Button>}
                </li>
              ))}
            </ul>
          </dd>
          {own.proposed.length > 0 && <dt>Profiles that fit</dt>}
          {own.proposed.length > 0 && (
            <dd class="row">
              {own.proposed.map((name) => (
                <span key={name} class="row">
                  {profile(name)}
                  {mayChange && <Button small name={`Assign ${name}`} onClick={() => onAct({ verb: 'assign', profile: name })}>Assign</Button>}
                </span>
              ))}
            </dd>
          )}
          <dt>Checks by it</dt>
          <dd class="any-word">{own.checks.length === 0 ? <span class="soft">none</span> : own.checks.map(({ name, of }) => <span key={`${of} ${name}`} title={of}>{name} </span>)}</dd>
          {mayChange && <dt>Another profile</dt>}
          {mayChange && <dd><Assign but={[...own.profiles, ...own.proposed]} onAssign={(name) => onAct({ verb: 'assign', profile: name })} /></dd>}
        </dl>
        {own.document && (
          <details>
            <summary>The document, {count(own.document.split('\n').length - 1, 'line')}</summary>
            <Code text={own.document} />
          </details>
        )}
      </div>
      {isRetrying.value && (
        <ReasonDialog title={`Give ${host} the newest configuration once more`} submit="Try again" said="It gets the newest one" send={() => change('POST', api('hosts', host, 'configuration', 'retry'), {})} onClose={() => (isRetrying.value = false)} onDone={onDone}>
          <p>If it breaks there again, it is set back again, alone.</p>
        </ReasonDialog>
      )}
    </Section>
  )
}

function Problems({ title, problems }: { readonly title: string; readonly problems: readonly string[] }) {
  if (problems.length === 0) return null
  return (
    <Notice tone="warning" title={title}>
      <ul class="any-word">{problems.map((problem, at) => <li key={at}>{problem}</li>)}</ul>
    </Notice>
  )
}

/** Any profile may be put in force by hand, whether it fits or not. */
function Assign({ but, onAssign }: { readonly but: readonly string[]; readonly onAssign: (name: string) => void }) {
  const asked = useAnswer<ProfileList>(() => [api('profiles')])
  const chosen = useSignal('')
  const names = (useShown(asked).value?.profiles ?? []).filter((one) => !one.hidden_by && !but.includes(one.name)).map(({ name }) => name)
  return (
    <span class="row">
      <select aria-label="Another profile" value={chosen.value} onChange={(event) => (chosen.value = event.currentTarget.value)}>
        <option value="">choose one</option>
        {names.map((name) => <option key={name}>{name}</option>)}
      </select>
      <Button small disabled={chosen.value === ''} onClick={() => { onAssign(chosen.value); chosen.value = '' }}>Assign</Button>
    </span>
  )
}
