// Views of one thing: which one is open is in the URL.
import { here } from '../url/location'
import type { Param } from '../url/query'
import { search } from '../url/link'
import { Link } from './Link'

export interface TabsProps {
  readonly label: string
  readonly tab: Param
  /** Name in the URL, and title. The first is what the parameter's standard value names. */
  readonly tabs: readonly (readonly [string, string])[]
  readonly name?: string
}

export function Tabs({ label, tab, tabs, name = 'tab' }: TabsProps) {
  const standard = tabs[0]?.[0]
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map(([value, title]) => (
        <Link key={value} to={here.value.path + search({ [name]: value === standard ? null : value })} current={tab.value === value}>
          {title}
        </Link>
      ))}
    </nav>
  )
}
