// A host that has another name now: its page goes along, with all that the URL says.
import { go, here } from '../../url/location'
import { path } from '../../url/link'

export function moveTo(name: string): void {
  const search = here.peek().search.toString()
  go(path('hosts', name) + (search ? `?${search}` : ''), 'replace')
}
