// What the header says of the page that is shown.
import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'

/** The page's title, and in brackets in the window's title a count that is worth to be seen in a row of tabs. */
export const heading = signal<{ title: string; count?: number }>({ title: '' })

/** Says what the page is about, such as the name of the host. */
export function useHeading(title: string, count?: number): void {
  useEffect(() => {
    heading.value = count === undefined ? { title } : { title, count }
  }, [title, count])
}
