// Who looks at this page, by what the collector knows them, until when, and what they may do.
import { logOut, myName } from '../../api/me'
import type { Me, Session } from '../../api/types'
import { Age, Button, Moment, Section } from '../../parts'
import { kindOf, ROLES, scopeWords } from './people'

export function WhoAmI({ me, sessions }: { readonly me: Me; readonly sessions: readonly Session[] }) {
  const session = sessions.find((one) => one.is_this)
  const role = ROLES.find(([one]) => one === me.role)
  return (
    <Section title="You" note={me.by} actions={me.user && <Button small onClick={() => void logOut()}>Log out here</Button>}>
      <dl class="facts">
        <dt>Name</dt>
        <dd class="any-word">{myName.value}</dd>
        {me.role && (
          <>
            <dt>Role</dt>
            <dd>
              {role?.[1] ?? me.role} <span class="soft">{role?.[2]}</span>
            </dd>
          </>
        )}
        <dt>Known by</dt>
        <dd>
          {kindOf(me)}
          {session && (
            <>
              , from <code>{session.source}</code>, <Age ms={session.made_ms} after=" ago" />
            </>
          )}
        </dd>
        {session && (
          <>
            <dt>Ends</dt>
            <dd>
              <Moment ms={session.ends_ms} /> (<Age ms={session.ends_ms} />)
            </dd>
          </>
        )}
        <dt>May</dt>
        <dd>
          {scopeWords(me.scopes).map((words) => (
            <div key={words}>{words}</div>
          ))}
        </dd>
      </dl>
    </Section>
  )
}
