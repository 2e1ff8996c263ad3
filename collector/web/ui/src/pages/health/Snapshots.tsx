// The snapshots that there are, the one that is being made, and one now.
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { change } from '../../api/ask'
import type { Snapshots } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Button, Choice, Dialog, Failed, Lack, Notice, Section, SmallTable, TextField, useDoing } from '../../parts'
import { bytes, count, number, percent } from '../../time/format'
import { api } from '../../url/link'

const EVERY_MS = 3000
/** Older ones are counted; the newest are what is gone back to. */
const SHOWN = 12

export function SnapshotsCard({ onMade }: { readonly onMade: () => void }) {
  const asked = useAnswer<Snapshots>(() => [api('snapshots')], { every: EVERY_MS })
  const known = useShown(asked)
  const { running, ended, snapshots = [], folder } = known.value ?? { running: null, ended: null }
  // A short one begins and ends between two answers: that another has ended is what tells.
  const last = useRef<string | null | undefined>(undefined)
  const isKnown = known.value !== undefined
  useEffect(() => {
    if (!isKnown) return
    if (last.current !== undefined && last.current !== (ended?.id ?? null)) onMade()
    last.current = ended?.id ?? null
  }, [isKnown, ended?.id])
  const isOpen = useSignal(false)
  const newest = [...snapshots].reverse()
  return (
    <Section
      title="Snapshots"
      note={known.value && (snapshots.length === 0 ? 'none' : count(snapshots.length, 'snapshot'))}
      actions={
        <Button small kind="accent" disabled={running !== null || !known.value} onClick={() => (isOpen.value = true)}>
          {running ? 'Being made ...' : 'Make one now'}
        </Button>
      }
    >
      <Lack answer={asked.answer.value} what="snapshots" flat />
      {isOpen.value && <Make folder={folder ?? ''} onClose={() => (isOpen.value = false)} onBegun={asked.again} />}
      {running && (
        <div class="inside">
          <div class="row small">
            {running.id}: {bytes(running.done_bytes)}
            {running.total_bytes > 0 && ` of ${bytes(running.total_bytes)} (${percent(running.done_bytes / running.total_bytes)})`}
          </div>
          <progress aria-label="Snapshot" max={running.total_bytes || 1} value={running.total_bytes > 0 ? running.done_bytes : undefined} />
        </div>
      )}
      {ended?.problem && (
        <Notice tone="critical" flat title="The last one was not made:">
          {ended.problem} <Age ms={ended.at_ms} after=" ago" />
        </Notice>
      )}
      {known.value && (
        <SmallTable
          label="Snapshots"
          heads={[['Made'], ['Id', 'wide'], ['Size', 'right'], ['Samples', 'right wide'], ['Lines', 'right wide'], ['CA key', 'wide'], ['State']]}
          rows={newest.slice(0, SHOWN).map((one) => ({
            key: one.id,
            cells: [
              <Age ms={one.made_ms} after=" ago" />,
              <code class="any-word">{one.id}</code>,
              bytes(one.size_bytes),
              number(one.samples),
              number(one.lines),
              one.ca_keys || '-',
              one.problem ? <span class="tone-critical any-word">{one.problem}</span> : 'complete',
            ],
          }))}
          none={
            <>
              There is nothing to go back to. They are made in <code class="any-word">{folder}</code> on the collector's machine; <code>every = "24h"</code> in <code>[snapshot]</code> makes them by themselves.
            </>
          }
        />
      )}
      {snapshots.length > SHOWN && <p class="fold soft small">and {snapshots.length - SHOWN} older ones in {folder}</p>}
    </Section>
  )
}

type Key = 'configured' | 'file' | 'without'

/** What the CA's private key is sealed with: only who has that key can restore, and without it every host must enrol anew. */
function Make({ folder, onClose, onBegun }: { readonly folder: string; readonly onClose: () => void; readonly onBegun: () => void }) {
  const doing = useDoing()
  const key = useSignal<Key>('configured')
  const file = useSignal('')
  const begin = async (): Promise<void> => {
    const body = key.value === 'file' ? { key_file: file.value } : key.value === 'without' ? { without_ca_key: true } : {}
    if (!(await doing.run(change('POST', api('snapshots'), body), 'A snapshot is being made'))) return
    onBegun()
    onClose()
  }
  return (
    <Dialog title="Make a snapshot now" submit="Make it" busy={doing.busy.value} onSubmit={begin} onClose={onClose}>
      <p class="soft">
        Everything that the collector keeps goes into a folder below <code class="any-word">{folder}</code> on its machine, while it goes on working.
      </p>
      <div class="field">
        <span>The CA's private key</span>
        <div>
          <Choice label="The CA's private key" value={key.value} choices={[['configured', 'Sealed as configured'], ['file', 'Sealed by a file'], ['without', 'Left out']]} onChoose={(value) => (key.value = value)} />
        </div>
        <small>{key.value === 'without' ? 'After a restore every host must enrol anew.' : 'Keep a copy of the key file away from that machine: without it there is no restore.'}</small>
      </div>
      {key.value === 'file' && <TextField label="Key file" value={file.value} onInput={(text) => (file.value = text)} required autoFocus note="An absolute path on the collector's machine" />}
      <Failed doing={doing} />
    </Dialog>
  )
}
