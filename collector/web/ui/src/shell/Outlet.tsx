// The page of the path that is shown: loaded when it is first needed, and what goes wrong in it stays in it.
import { useSignal } from '@preact/signals'
import { Component, type ComponentChildren, type ComponentType } from 'preact'
import { useEffect, useLayoutEffect } from 'preact/hooks'
import { Button } from '../parts/Button'
import { Notice } from '../parts/Notice'
import { pages } from '../pages'
import type { Page, PageProps } from '../pages/page'
import { here } from '../url/location'
import { find } from '../url/route'
import { heading } from './heading'

class Fence extends Component<{ children: ComponentChildren }, { wrong: string | null }> {
  override state = { wrong: null }

  static override getDerivedStateFromError(error: unknown): { wrong: string } {
    return { wrong: error instanceof Error ? error.message : String(error) }
  }

  override componentDidCatch(error: unknown): void {
    console.error(error)
  }

  override render() {
    if (this.state.wrong === null) return this.props.children
    return (
      <Notice tone="critical" title="This page has failed:">
        {this.state.wrong}
        <div>
          <Button small onClick={() => window.location.reload()}>
            Load it anew
          </Button>
        </div>
      </Notice>
    )
  }
}

const loaded = new Map<Page, ComponentType<PageProps>>()

/** A page of the table, by its row. */
function Loaded({ page, parts }: { readonly page: Page; readonly parts: Readonly<Record<string, string>> }) {
  const ready = useSignal(loaded.has(page))
  const wrong = useSignal(false)
  useEffect(() => {
    if (loaded.has(page)) {
      // Another place has loaded it between the drawing of this one and now.
      ready.value = true
      return
    }
    page.load().then(
      (module) => {
        loaded.set(page, module.default)
        ready.value = true
      },
      // Another version of the collector has other files: the page that names them is loaded anew by whoever reads this.
      () => (wrong.value = true),
    )
  }, [page])
  const Shown = loaded.get(page)
  if (wrong.value) {
    return (
      <Notice tone="warning" title="This page could not be loaded:">
        the collector is away, or has another version since.
        <div>
          <Button small onClick={() => window.location.reload()}>
            Load anew
          </Button>
        </div>
      </Notice>
    )
  }
  return ready.value && Shown ? <Shown parts={parts} /> : <div class="wait" role="status" aria-label="Loading the page" />
}

export function Outlet() {
  const path = here.value.path
  const found = find(pages, path)
  // Before the page says what it is about: one that is loaded already says so at once.
  useLayoutEffect(() => {
    heading.value = { title: found?.page.title ?? 'No such page' }
    document.getElementById('content')?.scrollTo(0, 0)
  }, [path])
  if (!found) {
    return (
      <Notice tone="warning" title="There is no such page:">
        {path}
      </Notice>
    )
  }
  return (
    <Fence key={path}>
      <Loaded key={found.page.path} page={found.page} parts={found.parts} />
    </Fence>
  )
}
