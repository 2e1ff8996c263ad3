// The navigation: made of the table of pages.
import type { Signal } from '@preact/signals'
import { logOut, may, me, myName } from '../api/me'
import { Button } from '../parts/Button'
import { Icon } from '../parts/Icon'
import { Link } from '../parts/Link'
import { pages } from '../pages'
import type { Page } from '../pages/page'
import { here } from '../url/location'
import { ZoneSwitch } from './RangePicker'

const GROUPS = ['Watch', 'Look', 'Plan', 'Run'] as const

/** The pages that the caller may open. */
export function openPages(): readonly Page[] {
  return pages.filter((page) => page.group && (page.needs === undefined || may(page.needs)))
}

function isCurrent(page: Page): boolean {
  const path = here.value.path
  return page.path === '/' ? path === '/' : path === page.path || path.startsWith(`${page.path}/`) || (page.path === '/fleet' && path.startsWith('/hosts/'))
}

export function Brand() {
  return (
    <Link to="/" class="brand">
      <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
        <path d="M2 11h4v7H2zM8 6.500h4V18H8zM14 2h4v16h-4z" fill="currentColor" />
      </svg>
      Muster
    </Link>
  )
}

export function Nav({ isOpen }: { readonly isOpen: Signal<boolean> }) {
  const shown = openPages()
  const close = (): void => {
    isOpen.value = false
  }
  return (
    <nav id="nav" class={isOpen.value ? 'nav open' : 'nav'} aria-label="Pages">
      <Brand />
      {GROUPS.filter((group) => shown.some((page) => page.group === group)).map((group) => (
        <div key={group}>
          <h2>{group}</h2>
          <ul>
            {shown
              .filter((page) => page.group === group)
              .map((page) => (
                <li key={page.path}>
                  <Link to={page.path} class="item" current={isCurrent(page)} onGo={close}>
                    {page.title}
                    {page.key && (
                      <span class="hint" aria-hidden="true">
                        {page.key}
                      </span>
                    )}
                  </Link>
                </li>
              ))}
          </ul>
        </div>
      ))}
      <div class="foot stack">
        <span class="narrow-only">
          <ZoneSwitch />
        </span>
        <span class="row small soft">
          <Icon sign="person" size={14} />
          <span class="cut grow" title={me.value?.role ?? ''}>
            {myName.value}
            {me.value?.role ? ` (${me.value.role})` : ''}
          </span>
        </span>
        {me.value?.user && (
          <Button small onClick={() => void logOut()}>
            Log out
          </Button>
        )}
      </div>
    </nav>
  )
}
