// What the gate says of the newest version of each service for each environment; and of any version that somebody asks about.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import type { GateDecision, Service, ServiceEnvironment } from '../../api/deploys'
import { may } from '../../api/me'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Code, Field, Lack, Link, ReasonDialog, Section, SmallTable, StateMark, TextField } from '../../parts'
import { api, to } from '../../url/link'
import { setSearch } from '../../url/location'
import { param } from '../../url/query'
import { envsOf } from '../deploys/rows'
import { ASKED_MAX, candidateOf, commandOf, questionOf, type Question } from './candidate'
import { Reasons } from './Reasons'

/** What is wrong comes and goes with the fleet; each question reads log lines. */
const EVERY_MS = 60_000
const chosen = { service: param('service'), version: param('version'), to: param('to'), rollback: param('rollback') }

const pick = (question: Question | null): void =>
  setSearch({ service: question?.service ?? null, version: question?.version ?? null, to: question?.to ?? null, rollback: question?.rollback ? '1' : null }, 'push')

export function Board({ services }: { readonly services: readonly Service[] }) {
  const envs = envsOf(services)
  const question = questionOf({ service: chosen.service.value, version: chosen.version.value, to: chosen.to.value, rollback: chosen.rollback.value })
  let asked = 0
  return (
    <>
      {question && <One key={JSON.stringify(question)} question={question} />}
      <Section title="May it go there" note="the newest version of the environment before">
        <SmallTable
          label="The gate by service and environment"
          heads={[['Service'], ...envs.map((env) => [<span class="any-word">{env}</span>] as const)]}
          rows={services.map((service) => ({
            key: service.name,
            cells: [
              <Link to={to(['deploys'], { service: service.name })} class="any-word">{service.name}</Link>,
              ...envs.map((env) => {
                const at = service.environments.find((one) => one.env === env)
                return at ? <Cell service={service} at={at} isAsked={++asked <= ASKED_MAX} /> : <span class="soft">-</span>
              }),
            ],
          }))}
          none="No service is declared: they stand in deploy.toml, which the collector reads."
        />
      </Section>
      <Ask services={services} envs={envs} />
    </>
  )
}

function Cell({ service, at, isAsked }: { readonly service: Service; readonly at: ServiceEnvironment; readonly isAsked: boolean }) {
  const candidate = candidateOf(service, at)
  const frozen = at.frozen && !at.frozen.override && <span class="badge" title={at.frozen.freeze.reason}>frozen</span>
  if (!candidate) return <><span class="soft">no version known</span> {frozen}</>
  if (candidate.isHere) return <><span class="soft any-word">{candidate.version} is there</span> {frozen}</>
  return <Verdict key={candidate.version} question={{ service: service.name, version: candidate.version, to: at.env, rollback: false }} isAsked={isAsked} />
}

function Verdict({ question, isAsked }: { readonly question: Question; readonly isAsked: boolean }) {
  const asked = useAnswer<GateDecision>(() => (isAsked ? [api('gate'), { ...question, rollback: null }] : null), { topic: 'deploys', every: EVERY_MS })
  const known = useShown(asked).value
  const answer = asked.answer.value
  return (
    <div class="verdict">
      <button type="button" class="plain any-word" onClick={() => pick(question)}>
        {question.version}
      </button>
      {known ? <StateMark state={known.verdict} /> : answer && answer.kind !== 'data' ? <span class="small tone-critical">{answer.message}</span> : <span class="small soft">{isAsked ? 'asking ...' : 'not asked yet'}</span>}
      {known && known.verdict !== 'go' && <span class="small soft any-word">{[...new Set(known.reasons.filter(({ effect, lifted }) => effect !== 'told' && !lifted).map(({ code }) => code.replaceAll('_', ' ')))].join(', ')}</span>}
    </div>
  )
}

/** One question with its reasons. */
function One({ question }: { readonly question: Question }) {
  const asked = useAnswer<GateDecision>(() => [api('gate'), { ...question }], { topic: 'deploys', every: EVERY_MS })
  const over = useSignal<GateDecision | null>(null)
  const isOverriding = useSignal(false)
  const known = over.value ?? useShown(asked).value
  const { service, version, to: env, rollback } = question
  const title = `${rollback ? 'Back to ' : ''}${version} of ${service} in ${env}`
  return (
    <>
      <Lack answer={asked.answer.value} what="decision" onAgain={asked.again} />
      {!known && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking the gate" />}
      {known && (
        <Section
          title={<span class="any-word">{title}</span>}
          note={`decision ${known.decision.id}`}
          actions={
            <>
              {may('silence') && known.reasons.some(({ waivable, lifted }) => waivable && !lifted) && <Button small kind="danger" onClick={() => (isOverriding.value = true)}>Override ...</Button>}
              {over.value ? <Button small onClick={() => (over.value = null)}>Without the override</Button> : <Button small onClick={asked.again}>Ask again</Button>}
              <Button small kind="quiet" onClick={() => pick(null)}>Close</Button>
            </>
          }
        >
          <div class="inside">
            <Reasons verdict={known.verdict} reasons={known.reasons} />
            <Code text={commandOf(question)} />
          </div>
        </Section>
      )}
      {isOverriding.value && (
        <ReasonDialog
          title={`Let ${version} of ${service} go to ${env}`}
          submit="Override"
          said="It is overridden"
          danger
          required
          send={async (reason) => {
            const answer = await change<GateDecision>('POST', api('gate'), { ...question, reason })
            if (answer.kind === 'data') over.value = answer.data
            return answer
          }}
          onClose={() => (isOverriding.value = false)}
          onDone={() => undefined}
        >
          <p class="small soft">It lifts what speaks against it. What is not known, and a version that failed before, it does not lift. Your name and reason stand in the audit and in the events.</p>
        </ReasonDialog>
      )}
    </>
  )
}

function Ask({ services, envs }: { readonly services: readonly Service[]; readonly envs: readonly string[] }) {
  const [service, version, env] = [useSignal(chosen.service.peek() || (services[0]?.name ?? '')), useSignal(''), useSignal(chosen.to.peek() || (envs[envs.length - 1] ?? ''))]
  const rollback = useSignal(false)
  const list = (label: string, at: typeof service, names: readonly string[]) => (
    <Field label={label}>
      {(ids) => (
        <select {...ids} value={at.value} onChange={(event) => (at.value = event.currentTarget.value)}>
          {[...new Set([...names, at.value])].filter(Boolean).map((one) => <option key={one} value={one}>{one}</option>)}
        </select>
      )}
    </Field>
  )
  return (
    <Section title="Ask about another version">
      <form
        class="inside gate-ask"
        onSubmit={(event) => {
          event.preventDefault()
          const question = questionOf({ service: service.value, version: version.value, to: env.value, rollback: rollback.value ? '1' : '' })
          if (question) pick(question)
        }}
      >
        {list('Service', service, services.map(({ name }) => name))}
        <TextField label="Version" value={version.value} onInput={(text) => (version.value = text)} required />
        {list('Goes to', env, envs)}
        <label class="row"><input type="checkbox" checked={rollback.value} onChange={(event) => (rollback.value = event.currentTarget.checked)} /> it is a rollback</label>
        <Button type="submit" kind="accent" disabled={version.value.trim() === ''}>Ask the gate</Button>
      </form>
    </Section>
  )
}
