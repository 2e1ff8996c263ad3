// The own password. All sessions end with it, this one too.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import { findMe } from '../../api/me'
import { Button, Failed, Section, TextField, useDoing } from '../../parts'
import { api } from '../../url/link'
import { canSend, PASSWORD_LEAST, wrongAgain, wrongPassword } from './people'

export function OwnPassword({ user }: { readonly user: string }) {
  const doing = useDoing()
  const [old, password, again] = [useSignal(''), useSignal(''), useSignal('')]
  const send = async (): Promise<void> => {
    if (!canSend(password.value, again.value)) return
    if (!(await doing.run(change('PUT', api('me'), { old_password: old.value, password: password.value }), 'Your password is changed: log in with it'))) return
    await findMe()
  }
  return (
    <Section title="Your password" note={user}>
      <form
        class="inside"
        onSubmit={(event) => {
          event.preventDefault()
          void send()
        }}
      >
        <div class="fields">
          <TextField label="Password now" type="password" value={old.value} onInput={(text) => (old.value = text)} required autoComplete="current-password" />
          <TextField label="New password" type="password" value={password.value} onInput={(text) => (password.value = text)} required autoComplete="new-password" wrong={wrongPassword(password.value)} note={`${PASSWORD_LEAST} characters at least`} />
          <TextField label="New password once more" type="password" value={again.value} onInput={(text) => (again.value = text)} required autoComplete="new-password" wrong={wrongAgain(password.value, again.value)} />
        </div>
        <Failed doing={doing} />
        <div class="row">
          <Button type="submit" disabled={doing.busy.value || old.value === '' || !canSend(password.value, again.value)}>
            Change my password
          </Button>
          <span class="soft small">You are logged out everywhere, and the tokens that you made end.</span>
        </div>
      </form>
    </Section>
  )
}
