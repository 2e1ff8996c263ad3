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
            <Html id={id} />
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

/** The frame asks for it by itself and shows it by the rules that come with it: nothing is run, nothing loaded. */
function Html({ id }: { readonly id: string }) {
  const height = useSignal(420)
  return (
    <>
      <iframe class="mail-html" title="The mail" sandbox="" src={api('mail', 'preview.html') + search({ alert: id })} style={{ height: `${height.value}px` }} />
      <div class="row small soft">
        <span class="grow">Nothing in it is run, and it loads nothing.</span>
        <Button small onClick={() => (height.value = height.peek() === 420 ? 900 : 420)}>
          {height.value === 420 ? 'Taller' : 'Shorter'}
        </Button>
      </div>
    </>
  )
}
