// How the groups of rules did last: those that fail or are late first.
import type { RuleGroupRun } from '../../api/types'
import { Age, Link, Section, SmallTable } from '../../parts'
import { quarter } from '../../time/clock'
import { count, duration, number } from '../../time/format'
import { to } from '../../url/link'
import { isLate, worstFirst } from './say'

/** The rest is well, and counted. */
const SHOWN = 30

export function RuleGroupsCard({ groups }: { readonly groups: readonly RuleGroupRun[] }) {
  const rows = worstFirst(groups, quarter.value)
  return (
    <Section title="Groups of rules" note={count(groups.length, 'group')}>
      <SmallTable
        label="Groups of rules"
        heads={[['Group'], ['Each', 'right wide'], ['Last', 'right'], ['Took', 'right'], ['Failing', 'right'], ['Left out', 'right wide']]}
        rows={rows.slice(0, SHOWN).map((group) => ({
          key: `${group.file}/${group.name}`,
          cells: [
            <>
              <Link to={to(['rules'], { q: group.name })}>{group.name}</Link> <span class="soft small wide">{group.file.split('/').pop()}</span>
            </>,
            duration(group.interval_ms),
            <span class={isLate(group, quarter.value) ? 'tone-warning' : undefined}>
              <Age ms={group.last_ms} after=" ago" />
            </span>,
            <span class={group.took_ms > group.interval_ms ? 'tone-warning' : undefined}>{duration(group.took_ms)}</span>,
            group.failing > 0 ? <span class="tone-critical">{group.failing}</span> : '0',
            number(group.missed),
          ],
        }))}
        none="There are no rules."
      />
      {rows.length > SHOWN && <p class="fold soft small">and {rows.length - SHOWN} more</p>}
    </Section>
  )
}
