// Users: one is made, changed, disabled and removed; a session is ended; a token is shown once, used, and revoked; the own password.
import type { Visit } from '../visit'

const NAME = 'eve.test'
const FIRST = 'a first password'
const SECOND = 'a second password'

interface User {
  readonly name: string
  readonly role: string
  readonly disabled_ms: number | null
}

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  const user = async (name: string): Promise<User | undefined> => ((await visit.api('GET', '/api/muster/v1/users')) as { users: User[] }).users.find((one) => one.name === name)
  if (await user(NAME)) await visit.api('DELETE', `/api/muster/v1/users/${NAME}`)
  const logIn = async (password: string): Promise<number> => (await fetch(`${visit.url}/api/muster/v1/login`, { method: 'POST', headers: { 'Content-Type': 'application/json', Origin: visit.url }, body: JSON.stringify({ user: NAME, password }) })).status
  const dialog = page.getByRole('dialog')
  const act = async (what: string, submit: string): Promise<void> => {
    await page.getByRole('button', { name: `Change ${NAME}` }).click()
    await dialog.getByRole('radio', { name: what, exact: true }).click()
    if (what === 'Role') await dialog.getByRole('radio', { name: 'Operator' }).click()
    await visit.axe()
    await dialog.getByRole('button', { name: submit, exact: true }).click()
    await dialog.waitFor({ state: 'detached' })
  }
  await visit.open('/users')
  await visit.see('this one')
  // Who looks is told, and until when.
  const you = page.getByRole('region', { name: 'You' })
  const { sessions } = (await visit.api('GET', '/api/muster/v1/sessions?all=true')) as { sessions: { user: string; ends_ms: number }[] }
  if (!sessions.some((session) => session.user === visit.user)) throw new Error('there is no session')
  await you.getByText('Everything, as an administrator').waitFor()
  await you.getByText(/in 1\d h|in \d+ [dh]/).waitFor()
  await page.getByRole('button', { name: 'Add a user' }).click()
  await page.getByLabel('Name', { exact: true }).fill('Eve')
  await visit.see(/Small letters/)
  await page.getByLabel('Name', { exact: true }).fill(NAME)
  await dialog.getByLabel('Password', { exact: true }).fill(FIRST)
  await dialog.getByLabel('Once more').fill(FIRST)
  await visit.axe()
  await dialog.getByRole('button', { name: 'Add', exact: true }).click()
  await page.getByRole('button', { name: `Change ${NAME}` }).waitFor()
  if ((await user(NAME))?.role !== 'viewer') throw new Error('the user is no viewer')

  // Another's session is seen and ended.
  if ((await logIn(FIRST)) !== 200) throw new Error('the new user cannot log in')
  await page.reload()
  await page.getByRole('button', { name: new RegExp(`^End the session of ${NAME}`) }).click()
  await visit.until('the end of the session', async () => !((await visit.api('GET', '/api/muster/v1/sessions?all=true')) as { sessions: { user: string }[] }).sessions.some((session) => session.user === NAME))

  await act('Role', 'Change the role')
  await visit.until('the role', async () => (await user(NAME))?.role === 'operator')
  await act('Disable', 'Disable')
  await visit.until('the end of its logins', async () => (await user(NAME))?.disabled_ms !== null)
  await visit.see('disabled')
  // That it cannot log in is the API's test: failed logins of this address are counted, and other tests log in from it.

  // A token is shown once, and does what it may.
  await page.getByRole('button', { name: 'Make a token' }).click()
  await visit.axe()
  await page.getByRole('button', { name: 'Make it' }).click()
  await visit.see(/shown this once/)
  const word = (await dialog.locator('pre').textContent()) ?? ''
  await page.getByText('never').first().waitFor()
  const read = async (): Promise<number> => (await fetch(`${visit.url}/api/muster/v1/hosts`, { headers: { Authorization: `Bearer ${word}` } })).status
  if ((await read()) !== 200) throw new Error('the token does not read')
  await dialog.getByRole('button', { name: 'Close' }).click()
  if ((await page.getByText(word).count()) > 0) throw new Error('the token is still to be seen')
  await page.getByRole('button', { name: `Revoke token ${word.split('.')[0]}` }).click()
  await dialog.getByRole('button', { name: 'Revoke', exact: true }).click()
  await dialog.waitFor({ state: 'detached' })
  if ((await read()) !== 401) throw new Error('a revoked token reads')
  await page.getByRole('button', { name: `Revoke token ${word.split('.')[0]}` }).waitFor({ state: 'detached' })
  await visit.look('users', 'this one')
  await act('Enable', 'Enable')
  await visit.until('its logins', async () => (await user(NAME))?.disabled_ms === null)

  // As that user: only what is its own, and another password logs it out.
  await page.context().clearCookies()
  await visit.open('/login')
  await page.getByLabel('User').fill(NAME)
  await page.getByLabel('Password').fill(FIRST)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.locator('nav#nav').waitFor({ state: 'attached' })
  await visit.open('/users')
  await visit.see('Logged in with a password')
  await visit.see('Acknowledges, silences and plans downtimes')
  if ((await page.getByRole('button', { name: 'Add a user' }).count()) > 0) throw new Error('an operator is offered what administrators do')
  await visit.look('users-own', 'Logged in with a password')
  await page.getByLabel('Password now').fill(FIRST)
  await page.getByLabel('New password', { exact: true }).fill(SECOND)
  await page.getByLabel('New password once more').fill(SECOND)
  visit.allow(/401 /)
  await page.getByRole('button', { name: 'Change my password' }).click()
  await page.waitForURL(/\/login/)
  if ((await logIn(SECOND)) !== 200) throw new Error('the new password does not log in')

  // Removed by who may.
  await page.getByLabel('User').waitFor()
  await visit.logIn()
  await visit.open('/users')
  await act('Remove', 'Remove')
  await visit.until('its removal', async () => (await user(NAME)) === undefined)
}
