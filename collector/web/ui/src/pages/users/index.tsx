// Users: who may log in, their sessions and tokens, and the own password.
import { me, may } from '../../api/me'
import type { Sessions, Tokens, Users as Answered } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Lack } from '../../parts'
import { useHeading } from '../../shell/heading'
import { api } from '../../url/link'
import { OwnPassword } from './OwnPassword'
import { SessionList } from './SessionList'
import { TokenCard } from './TokenCard'
import { UserList } from './UserList'
import { WhoAmI } from './WhoAmI'
import './users.css'

const EVERY_MS = 30_000

export default function Users() {
  useHeading('Users')
  // Each question reads who asks, so that it is asked once that is known.
  const users = useAnswer<Answered>(() => (may('admin') ? [api('users')] : null), { every: EVERY_MS })
  const sessions = useAnswer<Sessions>(() => (me.value ? [api('sessions'), may('admin') ? { all: true } : {}] : null), { every: EVERY_MS })
  const tokens = useAnswer<Tokens>(() => (may('admin') ? [api('tokens')] : null), { every: EVERY_MS })
  const [people, open, words] = [useShown(users).value, useShown(sessions).value, useShown(tokens).value]
  const isAdmin = may('admin')
  const again = (): void => {
    users.again()
    sessions.again()
    tokens.again()
  }
  return (
    <div class="page users">
      {me.value && <WhoAmI me={me.value} sessions={open?.sessions ?? []} />}
      {me.value && !isAdmin && <p class="soft small quiet">Other users and tokens are the administrators'.</p>}
      {isAdmin && <Lack answer={users.answer.value} what="users" onAgain={users.again} />}
      {people && <UserList users={people.users} onDone={again} />}
      <Lack answer={sessions.answer.value} what="sessions" onAgain={sessions.again} />
      {open && <SessionList sessions={open.sessions} onDone={again} />}
      {isAdmin && <Lack answer={tokens.answer.value} what="tokens" onAgain={tokens.again} />}
      {words && <TokenCard tokens={words.tokens} onDone={again} />}
      {me.value?.user && <OwnPassword user={me.value.user} />}
      {!open && sessions.isAsking.value && <div class="wait" role="status" aria-label="Asking for users" />}
    </div>
  )
}
