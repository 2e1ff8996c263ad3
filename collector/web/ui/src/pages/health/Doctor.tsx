// What the doctor finds, what is wrong first, each with what helps.
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { Answer } from '../../api/answer'
import { ask } from '../../api/ask'
import type { Doctor } from '../../api/types'
import { Age, Button, Code, Lack, Section, ShapeIcon } from '../../parts'
import { count } from '../../time/format'
import { api } from '../../url/link'
import { param } from '../../url/query'
import { byLevel } from './say'

/** It tries each mail server for 20 s at most; two that do not answer are waited for. */
const LIMIT_MS = 60_000
const LOOK = { ok: ['ok', 'check', 'Well'], warning: ['warning', 'triangle', 'Warning'], problem: ['critical', 'octagon', 'Problem'] } as const
const all = param('well')

/** Examined when it is opened, when `again` changes, and by its button: it signs in to mail servers, so not every few seconds. */
export function DoctorCard({ again }: { readonly again: number }) {
  const answer = useSignal<Answer<Doctor> | null>(null)
  const busy = useSignal(false)
  const examine = async (signal?: AbortSignal): Promise<void> => {
    busy.value = true
    const next = await ask<Doctor>(api('doctor'), {}, { limitMs: LIMIT_MS, ...(signal ? { signal } : {}) })
    if (signal?.aborted) return
    busy.value = false
    answer.value = next
  }
  useEffect(() => {
    const stop = new AbortController()
    void examine(stop.signal)
    return () => stop.abort()
  }, [again])
  const known = answer.value?.kind === 'data' ? answer.value : null
  const findings = byLevel(known?.data.findings ?? [])
  const wrong = findings.filter((finding) => finding.level !== 'ok')
  const shown = all.value === 'shown' ? findings : wrong
  const well = findings.length - wrong.length
  return (
    <Section
      title="Doctor"
      note={known && (wrong.length === 0 ? 'nothing is wrong' : `${count(wrong.length, 'finding')}`)}
      actions={
        <>
          {known && <Age ms={known.at} after=" ago" />}
          <Button small disabled={busy.value} onClick={() => void examine()}>
            {busy.value ? 'Examining ...' : 'Examine again'}
          </Button>
        </>
      }
    >
      {busy.value && !known && <div class="wait" role="status" aria-label="Examining" />}
      <Lack answer={answer.value} what="findings" flat />
      {shown.length > 0 && (
        <ul class="findings">
          {shown.map((finding, at) => {
            const [tone, shape, word] = LOOK[finding.level]
            return (
              <li key={at}>
                <span class={`mark tone-${tone}`}>
                  <ShapeIcon shape={shape} />
                  {word}
                </span>
                <div>
                  <div class="any-word">
                    <strong>{finding.examination}:</strong> {finding.what}
                    {finding.where && finding.level !== 'ok' && <span class="soft small"> ({finding.where})</span>}
                  </div>
                  {finding.remedy && <Code text={finding.remedy} />}
                </div>
              </li>
            )
          })}
        </ul>
      )}
      {well > 0 && (
        <div class="fold">
          <Button small kind="quiet" pressed={all.value === 'shown'} onClick={() => (all.value = all.value === 'shown' ? '' : 'shown')}>
            {all.value === 'shown' ? 'Hide what is well' : `${count(well, 'examination')} found nothing wrong`}
          </Button>
        </div>
      )}
    </Section>
  )
}
