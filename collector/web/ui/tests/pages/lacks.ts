// What a page does not know: the collector away, half an answer, busy, a clock that is wrong, a session that has ended. It says so, and goes on.
import type { Route } from 'playwright-core'
import type { Visit } from '../visit'

const PROBLEMS = '**/api/muster/v1/problems*'
/** All but the stream, which never ends. */
const ANSWERS = /\/api\/muster\/v1\/(me|problems|status)/

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  visit.push('web-1', 'fan', 'WARNING', 'the fan is slow')
  await visit.see('the fan is slow')

  // Away: what was known stays, with its age, and comes anew when somebody asks.
  visit.allow(/ERR_FAILED/)
  await page.route(PROBLEMS, (route) => route.abort())
  visit.push('web-1', 'fan', 'CRITICAL', 'the fan stands still')
  await visit.see(/These problems are from/)
  await visit.see('the fan is slow')
  await visit.look('problems-away', /No problems:/)
  await page.unroute(PROBLEMS)
  await page.getByRole('button', { name: 'Ask again' }).click()
  await visit.see('the fan stands still')
  await visit.until('the end of the notice', async () => (await page.getByText(/No problems:/).count()) === 0)

  const answers: [string, RegExp, (route: Route) => Promise<void>][] = [
    ['half', /the answer broke off/, (route) => route.fulfill({ status: 200, contentType: 'application/json', body: '{"problems": [{"id":' })],
    ['a page of a proxy', /the collector does not answer/, (route) => route.fulfill({ status: 502, contentType: 'text/html', body: '<h1>Bad gateway</h1>' })],
    [
      'busy',
      /all places are taken.*come back later/s,
      (route) => route.fulfill({ status: 503, contentType: 'application/json', body: JSON.stringify({ version: 1, error: { code: 'unavailable', message: 'all places are taken', where: 'queries', remedy: 'come back later' } }) }),
    ],
  ]
  visit.allow(/50[23] .*\/problems\?/)
  for (const [, said, answer] of answers) {
    await page.route(PROBLEMS, answer)
    await page.reload()
    await visit.see(said)
    await visit.axe()
    await page.unroute(PROBLEMS)
  }

  // A clock that is an hour and a half wrong: said, and ages are the collector's.
  const late = async (route: Route): Promise<void> => {
    // What is asked while the page goes away has nobody who waits for it.
    const response = await route.fetch().catch(() => null)
    if (response === null) return
    await route.fulfill({ response, headers: { ...response.headers(), date: new Date(Date.now() + 5_430_000).toUTCString() } }).catch(() => undefined)
  }
  await page.route(ANSWERS, late)
  await page.reload()
  await visit.see(/clock is 1 h 30 m behind the collector/)
  await page.unrouteAll({ behavior: 'wait' })

  // The session has ended: to the login, and back to what was looked at.
  await visit.open('/?q=fan')
  await visit.see('the fan stands still')
  visit.allow(/401 /)
  await page.route('**/api/**', (route) => route.fulfill({ status: 401, contentType: 'application/json', body: '{"version":1,"error":{"code":"unauthorized","message":"the session has ended","where":"","remedy":"log in again"}}' }))
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
  await page.waitForURL(/\/login\?next=%2F%3Fq%3Dfan/)
  // Interception ends when nothing is on its way: what is held then would never come.
  await page.getByLabel('User').waitFor()
  await page.unroute('**/api/**')
  await visit.logIn()
  await page.waitForURL(/\/\?q=fan$/)
  await visit.see('the fan stands still')
}
