// Which version of each service is in which environment.
import type { ServiceEnvironment, ServiceList } from '../../api/deploys'
import { Code, Link, Section, SmallTable } from '../../parts'
import { quarter } from '../../time/clock'
import { count, dateTime, duration } from '../../time/format'
import { to } from '../../url/link'
import { isUtc } from '../../url/range'
import { presentOf, versionWords } from './rows'

const EXAMPLE = `[[services]]
name = "shop"
hosts = ["role=web"]
packages = ["shop"]`

export interface WhereProps {
  readonly services: ServiceList
  readonly envs: readonly string[]
  readonly onPick: (service: string, env: string) => void
}

export function Where({ services: { file, services }, envs, onPick }: WhereProps) {
  return (
    <Section title="Versions" note={services.length > 0 && <span class="any-word">{count(services.length, 'service')}{file && `, declared in ${file}`}</span>} actions={<Link to={to(['gate'])}>What may go where</Link>}>
      {services.length === 0 ? (
        <div class="inside">
          <p class="soft">No service is declared, so no deploy can be told. They stand in {file ?? 'deploy.toml'}, which the collector reads:</p>
          <Code text={EXAMPLE} />
        </div>
      ) : (
        <SmallTable
          label="Versions by environment"
          heads={[['Service'], ...envs.map((env) => [<span class="any-word">{env}</span>] as const)]}
          rows={services.map((one) => ({
            key: one.name,
            cells: [
              <>
                <strong title={one.hosts.join(' ')}>{one.name}</strong>
                {one.outside > 0 && <div class="small tone-warning">{count(one.outside, 'host')} without env</div>}
              </>,
              ...envs.map((env) => {
                const at = one.environments.find((other) => other.env === env)
                return at ? <Cell at={at} onPick={() => onPick(one.name, env)} /> : <span class="soft">-</span>
              }),
            ],
          }))}
          none=""
        />
      )}
    </Section>
  )
}

function Cell({ at, onPick }: { readonly at: ServiceEnvironment; readonly onPick: () => void }) {
  const present = presentOf(at)
  return (
    <div class="where">
      {present.map((seen) => (
        <button key={seen.version} type="button" class="plain any-word" title={`${seen.hosts.join(' ')}${seen.since_ms === null ? '' : `; since ${dateTime(seen.since_ms, isUtc.value)}`}; on all hosts for ${duration(seen.soaked_ms)}`} onClick={onPick}>
          {versionWords(seen, at.hosts, quarter.value)}
        </button>
      ))}
      {present.length === 0 && <span class="soft">{at.hosts === 0 ? 'no host' : 'nothing yet'}</span>}
      {present.some(({ has_failed }) => has_failed) && <span class="badge tone-warning">failed last</span>}
      {at.running.length > 0 && <span class="badge tone-busy">running</span>}
      {at.frozen && <span class="badge" title={at.frozen.freeze.reason}>{at.frozen.override ? 'freeze lifted' : 'frozen'}</span>}
    </div>
  )
}
