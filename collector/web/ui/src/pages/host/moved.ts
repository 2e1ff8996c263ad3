// A host that has another name now: its page goes along, with all that the URL says.
import { go, here } from '../../url/location'
import { path } from '../../url/link'

export function moveTo(name: string): void {
  // Other pages, too, give hosts other names, and stay where they are.
  if (!here.peek().path.startsWith('/hosts/')) return
  const search = here.peek().search.toString()
  go(path('hosts', name) + (search ? `?${search}` : ''), 'replace')
}
