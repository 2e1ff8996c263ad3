// All that is known of one problem.
import { Age, Button, Dialog, Labels, Link, Moment, StateMark } from '../../parts'
import { pages } from '../index'
import { to } from '../../url/link'
import { canAcknowledge, canTakeBack, type Action } from './act'
import { HoldText } from './Holds'
import { isAddress, type Problem } from './problem'

export interface DetailProps {
  readonly problem: Problem
  readonly mayAct: boolean
  readonly onAction: (action: Action) => void
  readonly onPick: (name: string, value: string) => void
  readonly onClose: () => void
}

const hasPage = (path: string): boolean => pages.some((page) => page.path === path)

export function HostLink({ host }: { readonly host: string }) {
  return hasPage('/hosts/:host') ? <Link to={to(['hosts', host])}>{host}</Link> : <>{host}</>
}

export function Detail({ problem, mayAct, onAction, onPick, onClose }: DetailProps) {
  const { acknowledgement: ack, receivers } = problem
  return (
    <Dialog title={<span class="row"><StateMark state={problem.state} size={16} /> <span class="any-word">{problem.name}</span></span>} onClose={onClose} wide>
      <p class="problem-text any-word">{problem.text || <span class="soft">It says nothing more.</span>}</p>
      <dl class="facts">
        {problem.host && (
          <>
            <dt>Host</dt>
            <dd>
              <HostLink host={problem.host} />
            </dd>
          </>
        )}
        <dt>Since</dt>
        <dd>
          <Moment ms={problem.since} /> (<Age ms={problem.since} after=" ago" />)
        </dd>
        {problem.soft && (
          <>
            <dt>Seen</dt>
            <dd>{problem.soft}: nobody is told yet</dd>
          </>
        )}
        {ack && (
          <>
            <dt>Acknowledged</dt>
            <dd>
              by {ack.by}, <Age ms={ack.at_ms} after=" ago" />
              {ack.until_ms !== null && <>, until <Moment ms={ack.until_ms} short /></>}
              {ack.comment && <>: {ack.comment}</>}
            </dd>
          </>
        )}
        {problem.holds.length > 0 && (
          <>
            <dt>Held back</dt>
            <dd>
              {problem.holds.map((hold) => (
                <div key={hold.why + hold.by}>
                  <HoldText hold={hold} />
                </div>
              ))}
            </dd>
          </>
        )}
        {receivers.length > 0 && (
          <>
            <dt>Told</dt>
            <dd>{receivers.join(', ')}</dd>
          </>
        )}
        {problem.remedy && (
          <>
            <dt>What helps</dt>
            <dd>
              {isAddress(problem.remedy) ? (
                <a href={problem.remedy} rel="noreferrer noopener" target="_blank">
                  {problem.remedy}
                </a>
              ) : (
                problem.remedy
              )}
            </dd>
          </>
        )}
        <dt>Labels</dt>
        <dd>
          <Labels labels={problem.labels} onPick={onPick} />
        </dd>
      </dl>
      {mayAct && (
        <div class="row">
          {ack
            ? canTakeBack(problem) && <Button onClick={() => onAction('unacknowledge')}>Take acknowledgement back</Button>
            : canAcknowledge(problem) && (
                <Button kind="accent" onClick={() => onAction('acknowledge')}>
                  Acknowledge
                </Button>
              )}
          <Button onClick={() => onAction('silence')}>Silence</Button>
          <Button onClick={() => onAction('downtime')}>Downtime</Button>
        </div>
      )}
    </Dialog>
  )
}
