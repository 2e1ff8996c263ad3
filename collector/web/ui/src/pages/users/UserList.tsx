// The users, and what can be done with each.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import { me } from '../../api/me'
import type { Role, User } from '../../api/types'
import { Age, Button, Choice, Dialog, Failed, Notice, Section, SmallTable, TextField, useDoing } from '../../parts'
import { count } from '../../time/format'
import { api } from '../../url/link'
import { canSend, PASSWORD_LEAST, ROLES, wrongAgain, wrongName, wrongPassword } from './people'

type Does = 'add' | 'role' | 'password' | 'disable' | 'enable' | 'remove'

const roleWord = (role: Role): string => ROLES.find(([one]) => one === role)?.[1] ?? role

export function UserList({ users, onDone }: { readonly users: readonly User[]; readonly onDone: () => void }) {
  const acting = useSignal<User | 'new' | null>(null)
  return (
    <Section
      title="Users"
      note={count(users.length, 'user')}
      actions={
        <Button small kind="accent" onClick={() => (acting.value = 'new')}>
          Add a user
        </Button>
      }
    >
      <SmallTable
        label="Users"
        heads={[['Name'], ['Role'], ['Last login', 'right'], ['Made', 'right wide'], ['By', 'wide'], [<span class="unseen">Actions</span>, 'right']]}
        rows={users.map((user) => ({
          key: user.name,
          cells: [
            <>
              <strong class="any-word">{user.name}</strong> {user.name === me.value?.user && <span class="badge">you</span>} {user.disabled_ms !== null && <span class="badge tone-warning">disabled</span>}
            </>,
            roleWord(user.role),
            <Age ms={user.last_login_ms} after=" ago" />,
            <Age ms={user.made_ms} after=" ago" />,
            <span class="soft any-word">{user.made_by}</span>,
            <Button small name={`Change ${user.name}`} onClick={() => (acting.value = user)}>
              Change
            </Button>,
          ],
        }))}
        none="Nobody can log in yet; tokens and the collector's own machine do."
      />
      {acting.value && <ChangeUser {...(acting.value === 'new' ? {} : { user: acting.value })} names={users.map((user) => user.name)} onClose={() => (acting.value = null)} onDone={onDone} />}
    </Section>
  )
}

const WORDS: Readonly<Record<Does, readonly [title: string, submit: string, done: string]>> = {
  add: ['Add a user', 'Add', 'can log in'],
  role: ['Another role for', 'Change the role', 'has another role'],
  password: ['Another password for', 'Change the password', 'has another password'],
  disable: ['Disable', 'Disable', 'is disabled'],
  enable: ['Enable', 'Enable', 'is enabled'],
  remove: ['Remove', 'Remove', 'is removed'],
}

interface ChangeProps {
  /** Absent: a new one. */
  readonly user?: User
  readonly names: readonly string[]
  readonly onClose: () => void
  readonly onDone: () => void
}

function ChangeUser({ user, names, onClose, onDone }: ChangeProps) {
  const doing = useDoing()
  const what = useSignal<Does>(user ? 'role' : 'add')
  const does = what.value
  const choices: readonly (readonly [Does, string])[] = [['role', 'Role'], ['password', 'Password'], user?.disabled_ms == null ? ['disable', 'Disable'] : ['enable', 'Enable'], ['remove', 'Remove']]
  const name = useSignal(user?.name ?? '')
  const role = useSignal<Role>(user?.role ?? 'viewer')
  const [password, again] = [useSignal(''), useSignal('')]
  const [title, submit, done] = WORDS[does]
  const [asksRole, asksPassword] = [does === 'add' || does === 'role', does === 'add' || does === 'password']
  const isOwn = user !== undefined && user.name === me.value?.user
  const wrong = does === 'add' ? wrongName(name.value, names) : null
  const isReady = wrong === null && name.value !== '' && (!asksPassword || canSend(password.value, again.value)) && (does !== 'role' || role.value !== user?.role)
  const send = async (): Promise<void> => {
    if (!isReady) return
    const said = `${name.value} ${done}`
    const sent =
      does === 'add'
        ? doing.run(change('POST', api('users'), { name: name.value, role: role.value, password: password.value }), said)
        : does === 'remove'
          ? doing.run(change('DELETE', api('users', name.value)), said)
          : doing.run(change('PUT', api('users', name.value), does === 'role' ? { role: role.value } : does === 'password' ? { password: password.value } : { disabled: does === 'disable' }), said)
    if (!(await sent)) return
    onDone()
    onClose()
  }
  return (
    <Dialog title={user ? `${title} ${user.name}` : title} submit={submit} danger={does === 'remove' || does === 'disable'} busy={doing.busy.value} ready={isReady} onSubmit={send} onClose={onClose}>
      {user && <Choice label="What" value={does} choices={choices} onChoose={(value) => (what.value = value)} />}
      {user && does !== 'enable' && (
        <Notice tone={isOwn ? 'warning' : 'off'}>
          {isOwn ? 'This is you: you are logged out then, and the tokens that you made end.' : 'The sessions of this user end, and the tokens that it made.'}
          {does === 'remove' && ' What it did stays in the audit.'}
        </Notice>
      )}
      {does === 'enable' && <p>It can log in again with the password that it had.</p>}
      {does === 'add' && <TextField label="Name" value={name.value} onInput={(text) => (name.value = text.trim())} required autoFocus autoComplete="off" wrong={wrong} note="As the audit and acknowledgements name it" />}
      {asksRole && (
        <div class="field">
          <span>Role</span>
          <div>
            <Choice label="Role" value={role.value} choices={ROLES.map(([one, text]) => [one, text] as const)} onChoose={(value) => (role.value = value)} />
          </div>
          <small>{ROLES.find(([one]) => one === role.value)?.[2]}</small>
        </div>
      )}
      {asksPassword && (
        <>
          <TextField label="Password" type="password" value={password.value} onInput={(text) => (password.value = text)} required autoComplete="new-password" wrong={wrongPassword(password.value)} note={`${PASSWORD_LEAST} characters at least`} />
          <TextField label="Once more" type="password" value={again.value} onInput={(text) => (again.value = text)} required autoComplete="new-password" wrong={wrongAgain(password.value, again.value)} />
        </>
      )}
      <Failed doing={doing} />
    </Dialog>
  )
}
