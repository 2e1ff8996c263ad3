// Who is logged in, from where, and an end to it.
import { change } from '../../api/ask'
import { findMe } from '../../api/me'
import type { Session } from '../../api/types'
import { Age, Button, Failed, Section, SmallTable, useDoing } from '../../parts'
import { count } from '../../time/format'
import { api } from '../../url/link'

export function SessionList({ sessions, onDone }: { readonly sessions: readonly Session[]; readonly onDone: () => void }) {
  const doing = useDoing()
  const end = async (session: Session): Promise<void> => {
    if (!(await doing.run(change('DELETE', api('sessions', session.id)), `The session of ${session.user} has ended`))) return
    // One's own is a logout, which the next question tells.
    if (session.is_this) await findMe()
    else onDone()
  }
  return (
    <Section title="Sessions" note={sessions.length === 0 ? 'none' : count(sessions.length, 'session')}>
      <Failed doing={doing} />
      <SmallTable
        label="Sessions"
        heads={[['User'], ['From', 'wide'], ['Used', 'right'], ['Begun', 'right wide'], ['Ends', 'right'], [<span class="unseen">Actions</span>, 'right']]}
        rows={sessions.map((session) => ({
          key: session.id,
          cells: [
            <>
              <strong class="any-word">{session.user}</strong> {session.is_this && <span class="badge">this one</span>}
            </>,
            <span class="mono">{session.source}</span>,
            <Age ms={session.used_ms} after=" ago" />,
            <Age ms={session.made_ms} after=" ago" />,
            <Age ms={session.ends_ms} after=" ago" />,
            <Button small name={session.is_this ? 'Log out of this session' : `End the session of ${session.user} from ${session.source}`} disabled={doing.busy.value} onClick={() => void end(session)}>
              {session.is_this ? 'Log out' : 'End'}
            </Button>,
          ],
        }))}
        none="Nobody is logged in by a session."
      />
    </Section>
  )
}
