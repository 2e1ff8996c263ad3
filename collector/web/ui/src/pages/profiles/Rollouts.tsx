// Roll-outs of profiles: the open one with its waves, those that were, and the versions that they brought.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import { may } from '../../api/me'
import type { ProfileVersion, Rollout } from '../../api/profiles'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Button, Code, Lack, Link, Moment, ReasonDialog, Section, SmallTable, StateMark } from '../../parts'
import { count } from '../../time/format'
import { api, to } from '../../url/link'
import { param } from '../../url/query'
import { inWords, isOpen, partsOf, waveOf } from './rollout'

const VERBS = { stop: 'Stop', resume: 'Go on', revert: 'Revert' } as const
type Verb = keyof typeof VERBS
const DID: Readonly<Record<Verb, string>> = { stop: 'is stopped', resume: 'goes on', revert: 'is reverted' }
const WHAT: Readonly<Record<Verb, string>> = {
  stop: 'Nobody else gets the new version; who has it keeps it.',
  resume: 'It goes on; failures of this wave so far are forgiven.',
  revert: 'What was before is a new version, which all hosts get at once. Files that have changed are still as they are.',
}

export function Rollouts({ rollouts, onDone }: { readonly rollouts: readonly Rollout[]; readonly onDone: () => void }) {
  const open = rollouts[0] && isOpen(rollouts[0]) ? rollouts[0] : null
  const verb = useSignal<Verb | null>(null)
  const doing = verb.value
  return (
    <>
      {open && (
        <Section
          title={`Roll-out of version ${open.set}`}
          note={waveOf(open)}
          actions={may('admin') && (['stop', 'resume', 'revert'] as const).filter((one) => one === 'revert' || (one === 'stop') === (open.state === 'running')).map((one) => <Button key={one} small kind={one === 'resume' ? 'accent' : 'danger'} onClick={() => (verb.value = one)}>{VERBS[one]} ...</Button>)}
        >
          <div class="inside">
            <div class="row"><StateMark state={open.state} size={16} /> <span class="soft any-word">begun <Age ms={open.begun_ms} after=" ago" /> by {open.by}{open.reason && `: ${open.reason}`}</span></div>
            <div class="waves" role="img" aria-label={inWords(open)}>
              {partsOf(open).map(({ name, tone, share }) => share > 0 && <i key={name} class={`tone-${tone}`} style={{ width: `${share * 100}%` }} />)}
            </div>
            <span class="small">{inWords(open)}</span>
            <Failures row={open} />
          </div>
        </Section>
      )}
      <Section title="Roll-outs that were" note={`${rollouts.length - (open ? 1 : 0)}`}>
        <SmallTable
          label="Roll-outs that were"
          heads={[['Version', 'right'], ['State'], ['Hosts'], ['Begun', 'nowrap'], ['By, and why', 'wide']]}
          rows={rollouts.filter((row) => row !== open).map((row) => ({
            key: String(row.set),
            cells: [row.set, <StateMark state={row.state} />, row.failed.length === 0 ? inWords(row) : <details><summary>{inWords(row)}</summary><Failures row={row} /></details>, <Moment ms={row.begun_ms} short />, <span class="soft any-word">{row.by}{row.reason && `: ${row.reason}`}</span>],
          }))}
          none="None yet: no change of profiles has changed the configuration of a host."
        />
      </Section>
      {doing && open && (
        <ReasonDialog title={`${VERBS[doing]}: the roll-out of version ${open.set}`} submit={VERBS[doing]} said={`The roll-out ${DID[doing]}`} danger={doing !== 'resume'} required={doing !== 'resume'} send={(reason) => change('POST', api('profiles', 'rollouts', doing), { reason })} onClose={() => (verb.value = null)} onDone={onDone}>
          <p class="small soft">{WHAT[doing]}</p>
        </ReasonDialog>
      )}
    </>
  )
}

function Failures({ row }: { readonly row: Rollout }) {
  return (
    <ul class="small any-word">
      {row.failed.map((one) => (
        <li key={one.id}>
          <StateMark state="CRITICAL" short /> {one.host === null ? one.id : <Link to={to(['hosts', one.host], { tab: 'setup' })}>{one.host}</Link>}: {one.problem} <span class="soft"><Age ms={one.at_ms} after=" ago" /></span>
        </li>
      ))}
    </ul>
  )
}

interface Then extends ProfileVersion {
  readonly profiles: readonly { readonly name: string; readonly source: string; readonly text: string }[]
}

const version = param('version')

export function Versions({ versions }: { readonly versions: readonly ProfileVersion[] }) {
  const asked = useAnswer<Then>(() => (version.value ? [api('profiles', 'versions', version.value)] : null))
  const then = useShown(asked).value
  return (
    <>
      <Section title="Versions" note={`the newest ${versions.length}`}>
        <SmallTable
          label="Versions"
          heads={[['Version', 'right'], ['Made', 'nowrap'], ['By, and why'], [<span class="unseen">Documents</span>, 'right']]}
          rows={versions.map((one) => ({
            key: String(one.set),
            cells: [one.set, <Moment ms={one.made_ms} short />, <span class="any-word">{one.by}{one.reason && `: ${one.reason}`}</span>, <Button small name={`Documents of version ${one.set}`} pressed={version.value === String(one.set)} onClick={() => version.push(version.peek() === String(one.set) ? '' : String(one.set))}>Documents</Button>],
          }))}
          none="No version yet."
        />
      </Section>
      <Lack answer={asked.answer.value} what={`version ${version.value}`} onAgain={asked.again} />
      {then && (
        <Section title={`Version ${then.set}`} note={count(then.profiles.length, 'profile')}>
          <div class="inside">
            {then.profiles.map(({ name, source, text }) => <details key={`${name} ${source}`}><summary class="any-word">{name} <span class="soft">{source.replace('_', ' ')}</span></summary><Code text={text} /></details>)}
          </div>
        </Section>
      )}
    </>
  )
}
