// The feed: a row a deploy, with what else is known of it.
import type { Deploy } from '../../api/deploys'
import { Age, Link, Moment, Section, SmallTable, StateMark } from '../../parts'
import { quarter } from '../../time/clock'
import { to } from '../../url/link'
import { isAddress } from '../problems/problem'
import { hostsOf, marksOf, tookOf, whoOf } from './rows'

export function Feed({ deploys }: { readonly deploys: readonly Deploy[] }) {
  return (
    <Section title="Deploys" note="the newest first">
      <SmallTable
        label="Deploys"
        heads={[['Begun'], ['State'], ['Service'], ['Version'], ['Environment'], ['Who', 'wide'], ['Took', 'right wide'], ['More', 'wide']]}
        rows={deploys.map((one) => ({
          key: String(one.id),
          cells: [
            <>
              <Moment ms={one.started_ms} short /> <span class="small soft wide"><Age ms={one.started_ms} after=" ago" /></span>
            </>,
            <>
              <StateMark state={one.state} /> {marksOf(one).map(({ text, tone, why }) => <span key={text} class={`badge tone-${tone}`} title={why}>{text}</span>)}
            </>,
            <span class="any-word">{one.service}</span>,
            <strong title={one.version}>{one.version}</strong>,
            <span class="any-word">{one.env}</span>,
            <span class="any-word">{whoOf(one)}</span>,
            tookOf(one, quarter.value),
            <More of={one} />,
          ],
        }))}
        none=""
      />
    </Section>
  )
}

function More({ of }: { readonly of: Deploy }) {
  return (
    <details class="small">
      <summary>{hostsOf(of)}</summary>
      <dl class="facts any-word">
        <dt>Number</dt>
        <dd>{of.id}{of.key && `, ${of.key}`}</dd>
        {of.hosts && (
          <>
            <dt>Hosts</dt>
            <dd>{of.hosts.map((host) => <><Link key={host} to={to(['hosts', host])}>{host}</Link> </>)}</dd>
          </>
        )}
        {of.note && <><dt>Note</dt><dd>{of.note}</dd></>}
        {of.link && <><dt>Link</dt><dd>{isAddress(of.link) ? <a href={of.link} rel="noreferrer noopener" target="_blank">{of.link}</a> : of.link}</dd></>}
        {marksOf(of).map(({ text, why }) => <><dt key={text}>{text}</dt><dd>{why}</dd></>)}
      </dl>
      <Link to={to(['changes'], { host: of.hosts?.join(' ') || null, from: String(of.started_ms), to: of.ended_ms === null ? null : String(of.ended_ms) })}>Changes meanwhile</Link>
    </details>
  )
}
