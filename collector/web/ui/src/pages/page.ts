// What a page is.
import type { ComponentType } from 'preact'

export interface PageProps {
  /** The parts of the path that stand for `:names`, decoded. */
  readonly parts: Readonly<Record<string, string>>
}

export interface Page {
  /** `/hosts/:host`; its first part stands in PAGES of collector/web/src/routes.rs too. */
  readonly path: string
  /** As navigation and the window's title name it. */
  readonly title: string
  /** Under which heading navigation has it; absent: only others lead to it. */
  readonly group?: 'Watch' | 'Look' | 'Plan' | 'Run'
  /** `g` and a letter. */
  readonly key?: string
  /** Whether the time in the URL is its time too: the picker is shown then. */
  readonly hasRange?: boolean
  /** The scope without which it is not in the navigation. */
  readonly needs?: 'admin'
  readonly load: () => Promise<{ readonly default: ComponentType<PageProps> }>
}
