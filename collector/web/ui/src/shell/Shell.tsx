// What is around every page.
import { useSignal, useSignalEffect } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { isLoggedOut } from '../api/ask'
import { findMe, me, meAnswer } from '../api/me'
import { Button } from '../parts/Button'
import { Icon } from '../parts/Icon'
import { focusFilter, listenForKeys, useKeys } from '../parts/keys'
import { Lack } from '../parts/Notice'
import { Toasts } from '../parts/toast'
import { pages } from '../pages'
import { search } from '../url/link'
import { go, here } from '../url/location'
import { find } from '../url/route'
import { Connection, Strips } from './Connection'
import { heading } from './heading'
import { Help } from './Help'
import { Nav } from './Nav'
import { Outlet } from './Outlet'
import { Palette } from './Palette'
import { RangePicker, ZoneSwitch } from './RangePicker'

/** While nobody answers who asks. */
const ASK_ME_AGAIN_MS = 5000

function useTitle(): void {
  useSignalEffect(() => {
    const { title, count } = heading.value
    document.title = `${count ? `(${count}) ` : ''}${title} - Muster`
  })
}

/** Whoever is logged out is led to the login, and from there back. */
function useLogin(): void {
  useEffect(() => {
    listenForKeys()
    void findMe()
  }, [])
  useSignalEffect(() => {
    const at = here.value
    if (isLoggedOut.value && at.path !== '/login') {
      const from = at.path + (at.search.size > 0 ? `?${at.search}` : '')
      go(`/login${search({ next: from === '/' ? null : from })}`, 'replace')
    }
  })
  useSignalEffect(() => {
    const answer = meAnswer.value
    if (!answer || answer.kind === 'data' || answer.kind === 'loggedOut') return
    const timer = setTimeout(() => void findMe(), ASK_ME_AGAIN_MS)
    return () => clearTimeout(timer)
  })
}

export function Shell() {
  useTitle()
  useLogin()
  if (here.value.path === '/login') return <Outlet />
  if (!me.value) {
    return (
      <main class="content">
        <Lack answer={meAnswer.value} what="answer from the collector" onAgain={() => void findMe()} />
      </main>
    )
  }
  return <Frame />
}

function Frame() {
  const isNavOpen = useSignal(false)
  const over = useSignal<'palette' | 'help' | null>(null)
  useKeys([
    { key: 'Ctrl+k', does: 'go to a page or a host', run: () => (over.value = 'palette') },
    { key: '/', does: 'filter', run: focusFilter },
    { key: '?', does: 'these keys', run: () => (over.value = 'help') },
    ...pages.flatMap((page) => (page.key ? [{ key: page.key, does: page.title, run: () => go(page.path) }] : [])),
  ])
  const page = find(pages, here.value.path)?.page
  return (
    <div class="shell">
      <a class="skip" href="#content" onClick={(event) => {
        event.preventDefault()
        document.getElementById('content')?.focus()
      }}>
        To the content
      </a>
      <Nav isOpen={isNavOpen} />
      {isNavOpen.value && <button type="button" class="veil" aria-label="Close the navigation" onClick={() => (isNavOpen.value = false)} />}
      <div class="main">
        <header class="bar">
          <Button kind="quiet" class="nav-open" name="Pages" onClick={() => (isNavOpen.value = true)}>
            <Icon sign="menu" size={18} />
          </Button>
          <div class="where">
            <h1>{heading.value.title}</h1>
          </div>
          <Connection />
          {page?.hasRange && <RangePicker />}
          <span class="wide-only">
            <ZoneSwitch />
          </span>
          <Button kind="quiet" class="wide-only" title="Ctrl+K" name="Go to a page or a host" onClick={() => (over.value = 'palette')}>
            <Icon sign="search" />
          </Button>
          <Button kind="quiet" class="wide-only" title="?" name="Keys" onClick={() => (over.value = 'help')}>
            ?
          </Button>
        </header>
        <Strips />
        <main id="content" class="content" tabIndex={-1}>
          <Outlet />
        </main>
      </div>
      {over.value === 'palette' && <Palette onClose={() => (over.value = null)} />}
      {over.value === 'help' && <Help onClose={() => (over.value = null)} />}
      <Toasts />
    </div>
  )
}
