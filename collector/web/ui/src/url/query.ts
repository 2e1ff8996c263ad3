// One search parameter as a signal.
import { computed } from '@preact/signals'
import { here, setSearch } from './location'

export interface Param {
  /** Reading subscribes; writing replaces the place in the history (typing makes no hundred steps back). */
  value: string
  /** As writing, as a step that Back undoes. */
  push(value: string): void
  peek(): string
}

const known = new Map<string, Param>()

/** The parameter of this name; where it is absent it has the value `standard`, which is never written. */
export function param(name: string, standard = ''): Param {
  const key = `${name}=${standard}`
  const found = known.get(key)
  if (found) return found
  const at = computed(() => here.value.search.get(name) ?? standard)
  const write = (value: string, how: 'push' | 'replace'): void => {
    if (value !== at.peek()) setSearch({ [name]: value === standard ? null : value }, how)
  }
  const made: Param = {
    get value() {
      return at.value
    },
    set value(value: string) {
      write(value, 'replace')
    },
    push: (value) => write(value, 'push'),
    peek: () => at.peek(),
  }
  known.set(key, made)
  return made
}
