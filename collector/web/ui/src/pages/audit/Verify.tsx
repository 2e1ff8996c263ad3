// Walks the chain, and has its head to be noted elsewhere.
import { useSignal } from '@preact/signals'
import { ask } from '../../api/ask'
import type { Verified } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Code, Dialog, Failed, Notice, ShapeIcon, TextField, useDoing } from '../../parts'
import { api } from '../../url/link'
import { verdict, wrongHash } from './rows'

/** Millions of rows are walked in less. */
const LIMIT_MS = 60_000

export function Verify() {
  const isAsking = useSignal(false)
  const noted = useSignal('')
  const found = useSignal<{ readonly verified: Verified; readonly noted: string } | null>(null)
  const doing = useDoing()
  // Once by itself, so that whoever opens the page sees it; a head noted elsewhere is compared by the button.
  const whole = useAnswer<Verified>(() => [api('audit', 'verify')])
  const first = useShown(whole).value
  const glance = first && verdict(first, '')
  const walk = async (): Promise<void> => {
    if (wrongHash(noted.value)) return
    const hash = noted.value.toLowerCase()
    const verified = await doing.run(ask<Verified>(api('audit', 'verify'), { head: hash || null }, { limitMs: LIMIT_MS }))
    if (!verified) return
    found.value = { verified, noted: hash }
    isAsking.value = false
  }
  const said = found.value && verdict(found.value.verified, found.value.noted)
  return (
    <>
      <div class="row verify">
        {glance ? (
          <span class={`small mark tone-${glance.tone}`} title="Each row holds the hash of the one before: what is taken away or written anew shows">
            <ShapeIcon shape={glance.tone === 'ok' ? 'check' : 'octagon'} />
            <span>
              {glance.title} <span class="soft">{glance.text}</span>
            </span>
          </span>
        ) : (
          <span class="soft small">{whole.isAsking.value ? 'Walking the chain ...' : 'Each row holds the hash of the one before: what is taken away or written anew shows.'}</span>
        )}
        <Button small onClick={() => (isAsking.value = true)}>
          Verify the chain
        </Button>
      </div>
      {said && (
        <Notice tone={said.tone} title={said.title} onClose={() => (found.value = null)}>
          {said.text}
          {found.value?.verified.head && (
            <div class="stack">
              <span class="small">Note its head elsewhere; later it tells whether rows up to here are still the same:</span>
              <Code text={found.value.verified.head} />
            </div>
          )}
        </Notice>
      )}
      {isAsking.value && (
        <Dialog title="Verify the chain" submit="Verify" busy={doing.busy.value} ready={wrongHash(noted.value) === null} onSubmit={walk} onClose={() => (isAsking.value = false)}>
          <TextField label="A head noted earlier" value={noted.value} onInput={(text) => (noted.value = text.trim())} wrong={wrongHash(noted.value)} note="May be empty: then each row is checked against the one before" autoFocus autoComplete="off" />
          <Failed doing={doing} />
        </Dialog>
      )}
    </>
  )
}
