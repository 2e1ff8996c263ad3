// A token that was made: the command, shown this once, and the hosts as they come.
import type { Host, NewToken, Status } from '../../api/types'
import { Age, Button, Code, Link, Notice, Section, StateMark } from '../../parts'
import { second } from '../../time/clock'
import { to } from '../../url/link'
import { agentsAddress, arrived, byHand, isLoopback, stateOf, twoSteps } from './enrol'

export interface MadeProps {
  readonly made: NewToken
  /** When it was made, in ms. */
  readonly since: number
  readonly hosts: readonly Host[]
  readonly status: Status | undefined
  readonly onClose: () => void
}

export function Made({ made, since, hosts, status, onClose }: MadeProps) {
  const { token, install, agents_port: port } = made
  const own = status?.addresses.agents ?? ''
  // The name by which this page was reached is one by which hosts reach it too, unless it listens on this machine only.
  const address = isLoopback(own) ? own : agentsAddress(window.location.hostname, port)
  const isHere = isLoopback(own) || isLoopback(window.location.hostname)
  const come = arrived(hosts, token, since)
  const wanted = token.uses ?? 1
  const steps = install?.command ? twoSteps(install.command) : null
  return (
    <Section
      title={token.name ? `Run this on ${token.name}` : `Run this on ${token.pattern ?? 'each host'}`}
      note={
        <>
          token {token.id}, <TokenEnd expires={token.expires_ms} />
        </>
      }
      actions={
        <Button small onClick={onClose}>
          Another token
        </Button>
      }
    >
      <div class="inside">
        {install?.command ? (
          <>
            <Code text={install.command} />
            <p class="soft small">It knows this collector by its CA and its key, checks the installer before it runs it, installs the agent and enrols it. The token in it is shown this once.</p>
            <details>
              <summary>Or in two steps, to read the installer before it runs</summary>
              <div class="stack two-steps">
                {steps && (
                  <>
                    <p class="small">
                      1. Fetch it from this collector, known by the pin of its key (<code class="any-word">{steps.pin}</code>), and compare its SHA-256. Then read <code>install.sh</code>.
                    </p>
                    <Code text={steps.fetch} />
                    <p class="small">2. Run it: it installs the agent, enrols it and starts it.</p>
                    <Code text={steps.run} />
                  </>
                )}
                {token.word && (
                  <>
                    <p class="small">{steps ? 'Or, where' : 'Where'} the agent is installed already, enrol alone:</p>
                    <Code text={byHand(address, token.word, token.name)} />
                  </>
                )}
              </div>
            </details>
          </>
        ) : (
          <>
            <Notice tone="warning" title="There is no command that does it all:">
              {install?.problem ? (
                <>
                  {install.problem.message}
                  {install.problem.remedy && <div class="soft">{install.problem.remedy}</div>}
                </>
              ) : isHere ? (
                'this collector listens on this machine only (loopback), where other hosts do not reach it, and serves no packages there. To let others in, give it other addresses by --http and --agents.'
              ) : (
                'this collector serves no packages. Install the agent as your system does.'
              )}
            </Notice>
            {token.word && (
              <>
                <p>Where the agent is installed{isHere && ', on this machine'}:</p>
                <Code text={byHand(address, token.word, token.name)} />
                <p class="soft small">The token is shown this once.</p>
              </>
            )}
          </>
        )}
        <div class="come" role="status" aria-live="polite">
          {come.map((host) => (
            <div key={host.id} class="row">
              {host.presence || host.state === 'pending' ? <StateMark state={host.presence ?? 'pending'} /> : <span class="badge tone-busy">Enrolled, not heard yet</span>}
              {host.state === 'pending' ? (
                <strong>{host.name}</strong>
              ) : (
                <Link to={to(['hosts', host.name])}>
                  <strong>{host.name}</strong>
                </Link>
              )}
              <span class="soft small">
                {host.state === 'pending' ? 'waits to be let in, above' : <>came <Age ms={host.replaced_ms ?? host.enrolled_ms} after=" ago" /> from {host.peer}</>}
              </span>
            </div>
          ))}
          {come.length < wanted && (stateOf(token, second.value) === 'expired' ? <span class="tone-warning">The token has expired: make another one.</span> : <span class="soft waits">Waiting for {token.name ?? (come.length === 0 ? 'the first host' : 'more hosts')} ...</span>)}
        </div>
      </div>
    </Section>
  )
}

export function TokenEnd({ expires }: { readonly expires: number | null | undefined }) {
  return expires == null ? <>never expires</> : <Age ms={expires} before={expires > second.value ? 'expires ' : 'expired '} after=" ago" />
}
