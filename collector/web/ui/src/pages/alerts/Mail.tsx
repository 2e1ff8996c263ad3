// The mail about an alert as it would be written now: its text, or in its other form, where the collector shows that by itself.
import { useSignal } from '@preact/signals'
import type { MailPreview } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Choice, Lack } from '../../parts'
import { api, search } from '../../url/link'
import { param } from '../../url/query'

/** Which form is shown; nothing: none is asked for. */
const form = param('mail')

export function Mail({ id }: { readonly id: string }) {
  const isOpen = form.value === 'text' || form.value === 'html'
  const asked = useAnswer<MailPreview>(() => (form.value === 'text' || form.value === 'html' ? [api('mail', 'preview'), { alert: id }] : null))
  const known = useShown(asked).value
  return (
    <section class="card pad stack">
      <div class="row">
        <h2 class="grow">Mail</h2>
        {isOpen && <Choice label="Form of the mail" value={form.value} choices={[['text', 'Text'], ['html', 'HTML']]} onChoose={(one) => (form.value = one)} />}
        <Button small pressed={isOpen} onClick={() => (form.value = isOpen ? '' : 'text')}>
          Preview
        </Button>
      </div>
      {!isOpen && <p class="small soft">As it would be written now; nothing is sent.</p>}
      {isOpen && <Lack answer={asked.answer.value} what="preview" onAgain={asked.again} flat />}
      {isOpen && !known && asked.answer.value === null && <div class="wait" role="status" aria-label="Asking for the mail" />}
      {isOpen && known && (
        <>
          <dl class="facts">
            <dt>Subject</dt>
            <dd class="any-word">{known.subject}</dd>
            {known.recipient && (
              <>
                <dt>To</dt>
                <dd class="any-word">{known.recipient}</dd>
              </>
            )}
          </dl>
          {form.value === 'html' ? (
            <Html id={id} text={known.text} />
          ) : (
            <pre class="mail" tabIndex={0}>
              {known.text}
            </pre>
          )}
        </>
      )}
    </section>
  )
}

function Html({ id, text }: { readonly id: string; readonly text: string }) {
  const path = api('mail', 'preview.html')
  const asked = useAnswer<unknown>(() => [path, { alert: id }])
  const height = useSignal(420)
  const answer = asked.answer.value
  if (answer === null) return <div class="wait" role="status" aria-label="Asking for the mail" />
  // A page is no JSON: that one came with a good status is all that is wanted; the frame asks for it by itself, with its own rules.
  const isThere = answer.kind === 'data' || (answer.kind === 'half' && answer.status === 200)
  if (isThere) {
    return (
      <>
        <iframe class="mail-html" title="The mail" sandbox="" src={path + search({ alert: id })} style={{ height: `${height.value}px` }} />
        <div class="row small soft">
          <span class="grow">Nothing in it is run, and it loads nothing.</span>
          <Button small onClick={() => (height.value = height.peek() === 420 ? 900 : 420)}>
            {height.value === 420 ? 'Taller' : 'Shorter'}
          </Button>
        </div>
      </>
    )
  }
  return (
    <>
      {answer.kind === 'refused' && answer.status === 404 ? <p class="small soft">This collector shows no mail as HTML; this is its text.</p> : <Lack answer={answer} what="mail as HTML" onAgain={asked.again} flat />}
      <pre class="mail" tabIndex={0}>
        {text}
      </pre>
    </>
  )
}
