// The login: led to it, refused, let in to what was asked for, and out again.
import type { Visit } from '../visit'

export const loggedOut = true

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  await visit.open('/?q=env%3Dprod&show=all')
  await page.waitForURL(/\/login\?/)
  await visit.look('login', 'No user yet?')
  await page.getByText('No user yet?').click()
  await visit.see('muster user add ann --role admin')

  // What a wrong password is answered with.
  visit.allow(/401 .*\/api\/muster\/v1\/login$/)
  await page.getByLabel('User').fill(visit.user)
  await page.getByLabel('Password').fill('not this one at all')
  await page.getByRole('button', { name: 'Log in' }).click()
  await visit.see(/Not logged in:/)
  await visit.axe()
  await visit.logIn()
  await page.waitForURL((url) => url.pathname === '/' && url.searchParams.get('q') === 'env=prod' && url.searchParams.get('show') === 'all')

  await page.getByRole('button', { name: 'Log out' }).click()
  await page.waitForURL(/\/login/)
  await visit.see('No user yet?')
}
