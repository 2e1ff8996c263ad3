// Names of hosts, completed from the fleet. They are taken over when all of them are known, or by Enter.
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { Hosts } from '../api/types'
import { useAnswer, useShown } from '../api/useAnswer'
import { Filter } from '../parts'
import { api } from '../url/link'

export interface HostFieldProps {
  readonly label: string
  readonly placeholder: string
  /** Names with spaces between. */
  readonly value: string
  readonly onTake: (value: string) => void
}

export function HostField({ label, placeholder, value, onTake }: HostFieldProps) {
  const hosts = useAnswer<Hosts>(() => [api('hosts')], { topic: 'hosts' })
  const names = useShown(hosts).value?.hosts.map(({ name }) => name) ?? []
  const draft = useSignal(value)
  useEffect(() => {
    if (draft.peek().trim() !== value) draft.value = value
  }, [value])
  const words = draft.value.split(/\s+/).filter(Boolean)
  const take = (): void => onTake(draft.peek().trim().replace(/\s+/g, ' '))
  const onInput = (text: string): void => {
    draft.value = text
    if (text.split(/\s+/).every((word) => word === '' || names.includes(word))) take()
  }
  const unknown = words.find((word) => !names.includes(word))
  return (
    <>
      <Filter label={label} placeholder={placeholder} value={draft.value} onInput={onInput} onEnter={take} offers={() => names.map((text) => ({ text }))} />
      {unknown !== undefined && draft.value.trim() !== value && <span class="small soft any-word">No host is called {unknown} yet; Enter asks for it anyway.</span>}
    </>
  )
}
