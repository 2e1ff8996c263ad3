// Deploys: which version is where, and what was deployed, by whom, the newest first.
import type { DeployList, ServiceList } from '../../api/deploys'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Choice, Code, Lack, Tabs } from '../../parts'
import { useHeading } from '../../shell/heading'
import { api } from '../../url/link'
import { setSearch } from '../../url/location'
import { param } from '../../url/query'
import { Feed } from './Feed'
import { Freezes } from './Freezes'
import { envsOf, LIMIT } from './rows'
import { Where } from './Where'
import './deploys.css'

const EVERY_MS = 60_000
const STATES = [['', 'All'], ['running', 'Running'], ['ok', 'OK'], ['failed', 'Failed'], ['rolled_back', 'Rolled back'], ['abandoned', 'Given up']] as const

const view = param('view', 'deploys')
const service = param('service')
const env = param('env')
const state = param('state')
const version = param('version')
const before = param('before')
/** The places of the pages before this one. */
const trail = param('pages')

/** Another question begins with its newest page. */
function narrow(changes: Readonly<Record<string, string | null>>): void {
  setSearch({ before: null, pages: null, ...changes }, 'replace')
}

export default function Deploys() {
  useHeading('Deploys')
  const known = useAnswer<ServiceList>(() => [api('services')], { topic: 'deploys', every: EVERY_MS })
  const asked = useAnswer<DeployList>(
    () => view.value === 'freezes' ? null : [api('deploys'), { service: service.value || null, env: env.value || null, state: STATES.some(([one]) => one === state.value) && state.value ? state.value : null, version: version.value || null, before: /^\d+$/.test(before.value) ? before.value : null, limit: LIMIT }],
    { topic: 'deploys', every: EVERY_MS },
  )
  const [services, page] = [useShown(known).value, useShown(asked).value]
  const envs = envsOf(services?.services ?? [])
  const trailed = trail.value.split(',').filter(Boolean)
  const isNarrowed = [service, env, state, version].some(({ value }) => value !== '')
  const chooser = (label: string, all: string, at: typeof env, name: string, names: readonly string[]) => (
    <select aria-label={label} value={at.value} onChange={(event) => narrow({ [name]: event.currentTarget.value || null })}>
      <option value="">{all}</option>
      {[...new Set([...names, at.value])].filter(Boolean).map((one) => <option key={one} value={one}>{one}</option>)}
    </select>
  )
  return (
    <div class="page deploys">
      <Tabs label="Views of deploys" name="view" tab={view} tabs={[['deploys', 'Deploys'], ['freezes', 'Freezes']]} />
      <Lack answer={known.answer.value} what="services" onAgain={known.again} />
      {view.value === 'freezes' ? <Freezes services={services?.services ?? []} onDone={known.again} /> : (
        <>
          <Lack answer={asked.answer.value} what="deploys" onAgain={asked.again} />
          {services && <Where services={services} envs={envs} onPick={(one, to) => setSearch({ service: one, env: to, before: null, pages: null }, 'push')} />}
          <div class="row">
            {chooser('Service', 'all services', service, 'service', (services?.services ?? []).map(({ name }) => name))}
            {chooser('Environment', 'all environments', env, 'env', envs)}
            <input aria-label="Version" placeholder="Version" value={version.value} onInput={(event) => narrow({ version: event.currentTarget.value || null })} />
            <Choice label="State" value={state.value as (typeof STATES)[number][0]} choices={STATES} onChoose={(one) => narrow({ state: one || null })} />
            {isNarrowed && <Button small kind="quiet" onClick={() => narrow({ service: null, env: null, state: null, version: null })}>Clear</Button>}
          </div>
          {!page && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for deploys" />}
          {page && page.deploys.length > 0 && <Feed deploys={page.deploys} />}
          {page?.deploys.length === 0 && (
            <div class="card empty">
              <h2>{isNarrowed || before.value ? 'No deploy fits' : 'Nothing was deployed yet'}</h2>
              {!isNarrowed && !before.value && (
                <>
                  <p>Whoever deploys says so at the start and at the end; webhooks of GitHub and GitLab do it too, and a package that changes is recognised.</p>
                  <Code text="muster deploy start --service shop --version 1.4.2 --env production" />
                </>
              )}
            </div>
          )}
          {page && (before.value !== '' || page.next !== null) && (
            <div class="row">
              <Button small disabled={before.value === ''} onClick={() => setSearch({ before: trailed[0] ?? null, pages: trailed.slice(1).join(',') || null }, 'push')}>Newer</Button>
              <Button small disabled={page.next === null} onClick={() => setSearch({ before: String(page.next), pages: before.value === '' ? null : [before.value, ...trailed].join(',') }, 'push')}>Older</Button>
            </div>
          )}
        </>
      )}
    </div>
  )
}
