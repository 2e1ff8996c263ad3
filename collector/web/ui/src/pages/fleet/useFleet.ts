// The fleet as it is known: one answer for all hosts, and news that are merged into it as they come.
import { effect, signal, untracked, useSignalEffect, type ReadonlySignal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { ask } from '../../api/ask'
import { live, topics } from '../../api/live'
import type { Check, Checks, Fleet, Host } from '../../api/types'
import { useAnswer, type Asked } from '../../api/useAnswer'
import { api } from '../../url/link'
import { merge, rowOf, withChecks, type Row } from './rows'

/** What nobody tells of (ages, the strip, how far data is behind) is asked again so often. */
const EVERY_MS = 60_000
/** Checks of more hosts than this are one question for all. */
const HOSTS_AT_ONCE = 8
/** News of checks are gathered for so long. */
const GATHER_MS = 300

export interface Known {
  readonly asked: Asked<Fleet>
  readonly rows: ReadonlySignal<readonly Row[]>
}

export function useFleet(): Known {
  const asked = useAnswer<Fleet>(() => [api('fleet')], { every: EVERY_MS })
  const rows = useMemo(() => signal<readonly Row[]>([]), [])
  useSignalEffect(() => {
    const answer = asked.answer.value
    if (answer?.kind === 'data') rows.value = answer.data.hosts.map(rowOf)
  })
  useEffect(() => followHosts(asked, rows), [])
  useEffect(() => followChecks(asked, rows), [])
  return { asked, rows }
}

type Rows = ReadonlySignal<readonly Row[]> & { value: readonly Row[] }

/** Calls `heard` with each piece of news but those of before. */
function follow(topic: 'hosts' | 'checks', heard: (changed: readonly unknown[], gone: readonly string[]) => void): () => void {
  let isFirst = true
  return effect(() => {
    const { changed, gone } = topics[topic].value
    if (!isFirst) untracked(() => heard(changed, gone))
    isFirst = false
  })
}

function followHosts(asked: Asked<Fleet>, rows: Rows): () => void {
  return follow('hosts', (changed, gone) => {
    // Without rows it may be anything.
    if (changed.length === 0 && gone.length === 0) return asked.again()
    const next = merge(rows.value, changed as readonly Host[], gone)
    rows.value = next.rows
    if (!next.isEnough) asked.again()
  })
}

function followChecks(asked: Asked<Fleet>, rows: Rows): () => void {
  const waiting = new Set<string>()
  let timer: ReturnType<typeof setTimeout> | undefined
  const put = async (): Promise<void> => {
    const hosts = [...waiting]
    waiting.clear()
    if (hosts.length > HOSTS_AT_ONCE) return asked.again()
    for (const host of hosts) {
      const answer = await ask<Checks>(api('checks'), { host })
      if (answer.kind === 'data') rows.value = rows.value.map((row) => (row.id === host ? withChecks(row, answer.data.checks) : row))
    }
  }
  const end = follow('checks', (changed, gone) => {
    if (changed.length === 0 && gone.length === 0 && live.peek().link === 'connected') return asked.again()
    for (const check of changed as readonly Check[]) waiting.add(check.host_id)
    for (const id of gone) waiting.add(id.split('/', 1)[0] ?? id)
    clearTimeout(timer)
    timer = setTimeout(() => void put(), GATHER_MS)
  })
  return () => {
    clearTimeout(timer)
    end()
  }
}
