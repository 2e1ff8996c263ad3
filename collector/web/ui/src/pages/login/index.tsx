// The login of local users.
import { useSignal, useSignalEffect } from '@preact/signals'
import { findMe, logIn, me, meAnswer } from '../../api/me'
import { Button, Code, Lack, Notice } from '../../parts'
import { TextField } from '../../parts/Field'
import { Brand } from '../../shell/Nav'
import { useHeading } from '../../shell/heading'
import { go, here } from '../../url/location'
import { inside } from './next'
import './login.css'

/** What makes the first user, on the collector's machine, where its socket says who asks. */
const FIRST = 'muster user add ann --role admin'

export default function Login() {
  useHeading('Log in')
  const [user, password] = [useSignal(''), useSignal('')]
  const busy = useSignal(false)
  const wrong = useSignal<{ message: string; remedy: string } | null>(null)

  // Whoever has a session that is good goes on, be it of now or of before.
  useSignalEffect(() => {
    if (me.value) go(inside(here.peek().search.get('next')), 'replace')
  })

  const send = async (): Promise<void> => {
    busy.value = true
    const answer = await logIn(user.value.trim(), password.value)
    busy.value = false
    if (answer.kind === 'data') return
    password.value = ''
    const isWrong = answer.kind === 'loggedOut'
    wrong.value = { message: answer.message, remedy: isWrong ? '' : answer.remedy }
  }
  return (
    <main class="login">
      <div class="card login-card">
        <Brand />
        <h1>Log in</h1>
        <Lack answer={meAnswer.value} what="answer from the collector" onAgain={() => void findMe()} />
        {wrong.value && (
          <Notice tone="critical" title={`Not logged in: ${wrong.value.message}.`}>
            {wrong.value.remedy}
          </Notice>
        )}
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault()
            if (!busy.value) void send()
          }}
        >
          <TextField label="User" value={user.value} onInput={(text) => (user.value = text)} autoComplete="username" required autoFocus />
          <TextField label="Password" type="password" value={password.value} onInput={(text) => (password.value = text)} autoComplete="current-password" required />
          <Button type="submit" kind="accent" disabled={busy.value}>
            {busy.value ? 'Logging in ...' : 'Log in'}
          </Button>
        </form>
        <details>
          <summary>No user yet?</summary>
          <div class="stack">
            <p class="soft">A new collector has none. Who is root on its machine makes the first one there; it asks for a password:</p>
            <Code text={FIRST} />
            <p class="soft">Roles: viewer looks, operator acknowledges, silences and plans downtimes too, admin does everything.</p>
          </div>
        </details>
      </div>
    </main>
  )
}
