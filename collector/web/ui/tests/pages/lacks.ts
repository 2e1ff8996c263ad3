// What a page does not know: the collector away, half an answer, busy, a clock that is wrong, a session that has ended. It says so, and goes on.
import { readFileSync } from 'node:fs'
import type { Route } from 'playwright-core'
import { listen } from '../listener'
import { TOLD_MS, type Visit } from '../visit'

const PROBLEMS = '**/api/muster/v1/problems*'
/** All but the stream, which never ends. */
const ANSWERS = /\/api\/muster\/v1\/(me|problems|status)/

/** The first page closely: by whom it is asked anew, and all that may come instead of an answer. */
async function problems(visit: Visit): Promise<void> {
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
  await visit.unroute()

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

/** A page of the table, where it is opened, and what is on it only when it was answered. */
interface Row {
  readonly path: string
  readonly at: string
  readonly good: string | RegExp
}

/** What pages ask for; not the stream, which never ends, nor who is logged in, which is the shell's. */
const ASKED = /\/(api|loki)\/(?!muster\/v1\/(live|me|login)\b)/
/** Longer than the pages wait for an answer, and than they wait before they ask again. */
const WAITED_MS = 16_000

async function rows(visit: Visit): Promise<Row[]> {
  await visit.api('POST', '/api/v2/silences', {
    matchers: [{ name: 'alertname', value: 'nothing-of-this-name', isRegex: false, isEqual: true }],
    startsAt: new Date().toISOString(),
    endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    createdBy: 'lacks',
    comment: 'kept while nothing answers',
  })
  await visit.api('POST', '/api/muster/v1/tokens', { kind: 'enrolment', name: 'a-host-that-comes', uses: 1 })
  await visit.looked('web-1')
  visit.watched('web-1', `lacks-${Date.now()}.conf`, 'kept while nothing answers')
  await visit.until('the change', async () => JSON.stringify(await visit.api('GET', '/api/muster/v1/changes?text=lacks-')).includes('is new'), TOLD_MS)
  const alert = async (): Promise<string | undefined> =>
    ((await visit.api('GET', '/api/muster/v1/alerts')) as { alerts: { id: string; origin: { check?: string } }[] }).alerts.find(({ origin }) => origin.check === 'fan')?.id
  await visit.until('the alert of the fan', async () => (await alert()) !== undefined)
  const { close, port, words } = await listen(visit)
  await visit.api('PUT', '/api/muster/v1/discovery/rules/lacks-rule', { kind: 'port', items: [`port="${port}"`], action: 'ignore' })
  await close()
  await visit.api('POST', '/api/muster/v1/deploys', { service: 'shop', env: 'prod', version: 'lacks-1' })
  await visit.api('POST', '/api/muster/v1/freezes', { matchers: ['env=nowhere'], reason: 'frozen while nothing answers', to_ms: Date.now() + 3_600_000 })
  await visit.api('POST', '/api/muster/v1/deploys/finish', { service: 'shop', env: 'prod', result: 'ok' })
  await visit.api('GET', '/api/muster/v1/gate?service=shop&version=lacks-1&to=prod')
  return [
    { path: '/', at: '/?q=fan', good: 'the fan stands still' },
    { path: '/fleet', at: '/fleet', good: 'db-1' },
    { path: '/hosts/:host', at: '/hosts/web-1?tab=checks', good: 'the fan stands still' },
    { path: '/hosts/:host', at: '/hosts/web-1?tab=logs&since=3h', good: /order \d+ is paid/ },
    { path: '/hosts/:host', at: '/hosts/web-1?tab=inventory&table=users&q=root', good: '/root' },
    { path: '/changes', at: '/changes?q=lacks-', good: /configuration file .*lacks-/ },
    { path: '/inventory', at: `/inventory?sql=${encodeURIComponent("SELECT host, home FROM users WHERE uid = 0 AND host = 'web-1'")}`, good: '/root' },
    { path: '/discovery', at: '/discovery?state=ignored', good: words },
    { path: '/discovery', at: '/discovery?view=rules', good: 'lacks-rule' },
    { path: '/hosts/:host', at: '/hosts/web-1?tab=setup', good: 'Checks by it' },
    { path: '/profiles', at: '/profiles?profile=redis', good: /valkey/ },
    { path: '/profiles', at: '/profiles?view=versions', good: 'the newest' },
    { path: '/deploys', at: '/deploys', good: /^lacks-1 for / },
    { path: '/gate', at: '/gate', good: 'lacks-1 is there' },
    { path: '/gate', at: '/gate?view=decisions', good: 'lacks-1 of shop to prod' },
    { path: '/deploys', at: '/deploys?view=freezes', good: 'frozen while nothing answers' },
    { path: '/tasks', at: '/tasks', good: /^Hold all back/ },
    { path: '/inventory', at: '/inventory?view=drift', good: 'No group to look at' },
    { path: '/ask', at: '/ask?table=users', good: /One row is .*name, uid/ },
    { path: '/logs', at: '/logs?since=3h&q=%7Bapp%3D%22shop%22%7D', good: /lines, the newest first/ },
    { path: '/explore', at: '/explore?q=node_load1', good: /host="web-1"/ },
    { path: '/alerts', at: '/alerts?q=fan', good: /the fan stands still/ },
    { path: '/alerts/:id', at: `/alerts/${await alert()}`, good: 'Fires since' },
    { path: '/rules', at: '/rules', good: 'DiskAlmostFull' },
    { path: '/calendar', at: '/calendar', good: /kept while nothing answers/ },
    { path: '/hosts-setup', at: '/hosts-setup', good: 'a-host-that-comes' },
    { path: '/health', at: '/health', good: /Storage/ },
    { path: '/audit', at: '/audit', good: /rows?: \d+ to \d+/ },
    { path: '/users', at: '/users', good: /^ann$/ },
  ]
}

/** How questions fail, and what the page says of it. */
const FAULTS: readonly (readonly [string, RegExp, (route: Route) => Promise<void> | void])[] = [
  ['away', /the collector does not answer/, (route) => route.abort()],
  ['half', /the answer broke off/, (route) => route.fulfill({ status: 200, contentType: 'application/json', body: '{"version": 1, "da' })],
  // Nothing is answered before the end of the fault, when what waits is let go.
  ['slow', /has not answered within 10 s/, () => undefined],
]

const LOGGED_OUT = '{"version":1,"error":{"code":"unauthorized","message":"the session has ended","where":"","remedy":"log in again"}}'

/** What is asked by itself, by time or since somebody looks again, is asked now. */
async function askAnew(visit: Visit): Promise<void> {
  await visit.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
  // Bounded: a page that goes elsewhere meanwhile may never tell that its time is over.
  await Promise.race([visit.page.clock.runFor(WAITED_MS).catch(() => undefined), visit.page.waitForTimeout(5000)])
}

/** The collector away, half heard and slow: the page says so, goes on showing what it knew, and asks again by itself. */
async function faults(visit: Visit, { at, good }: Row): Promise<void> {
  const { page } = visit
  await visit.open(at)
  await visit.see(good)
  for (const [name, said, play] of FAULTS) {
    const held: Route[] = []
    await page.route(ASKED, async (route) => {
      held.push(route)
      await play(route)
    })
    const isSaid = async (): Promise<boolean> => (await page.getByText(said).count()) > 0
    for (let turn = 0; turn < 4 && !(await isSaid()); turn += 1) await askAnew(visit)
    await page.getByText(said).first().waitFor()
    if ((await page.getByText(good).count()) === 0) throw new Error(`${at}, ${name}: what was known is gone`)
    await page.unroute(ASKED)
    if (name === 'slow') for (const route of held) await route.abort().catch(() => undefined)
    await visit.until(`${at}: the end of ${name}`, async () => {
      if (!(await isSaid())) return true
      await askAnew(visit)
      return false
    })
    await visit.see(good)
  }
}

/** The session has ended: to the login, and from there back to the same place. */
async function loggedOut(visit: Visit, { at, good }: Row): Promise<void> {
  const { page } = visit
  await page.route(/\/(api|loki)\//, (route) => route.fulfill({ status: 401, contentType: 'application/json', body: LOGGED_OUT }))
  for (let turn = 0; turn < 4 && !page.url().includes('/login'); turn += 1) await askAnew(visit)
  await page.getByLabel('User').waitFor()
  await page.unroute(/\/(api|loki)\//)
  const back = new URL(page.url()).searchParams.get('next') ?? '/'
  if (new URL(back, visit.url).pathname !== new URL(at, visit.url).pathname) throw new Error(`${at}: the login leads to ${back}`)
  await visit.logIn()
  await page.waitForURL((url) => url.pathname === new URL(at, visit.url).pathname)
  await visit.see(good)
}

/** The collector's clock is two minutes ahead of this one: said, and the page works. */
async function clock(visit: Visit, { at, good }: Row): Promise<void> {
  const { page } = visit
  const ahead = async (route: Route): Promise<void> => {
    const response = await route.fetch().catch(() => null)
    if (response === null) return
    await route.fulfill({ response, headers: { ...response.headers(), date: new Date(Date.now() + 120_000).toUTCString() } }).catch(() => undefined)
  }
  const asked = /\/(api|loki)\/(?!muster\/v1\/(live|logs\/tail)\b)/
  await page.route(asked, ahead)
  await visit.open(at)
  await visit.see(/clock is (2 m|1 m 59 s)( \d+ s)? behind the collector/)
  await visit.see(good)
  await page.unroute(asked)
  await visit.open(at)
  await visit.see(good)
  if ((await page.getByText(/clock is .* behind the collector/).count()) > 0) throw new Error(`${at}: the clock is right, and said to be wrong`)
}

/** The login, while the collector fails. */
async function login(visit: Visit): Promise<void> {
  const { page } = visit
  for (const [name, said, play] of FAULTS) {
    const held: Route[] = []
    await page.route('**/api/muster/v1/me', async (route) => {
      held.push(route)
      await play(route)
    })
    await visit.open('/login')
    await page.getByLabel('User').waitFor()
    if (name === 'slow') await page.clock.runFor(WAITED_MS)
    await visit.see(said)
    await page.unroute('**/api/muster/v1/me')
    for (const route of held) await route.abort().catch(() => undefined)
    await visit.until(`the login: the end of ${name}`, async () => {
      if ((await page.getByText(said).count()) === 0) return true
      await page.clock.runFor(WAITED_MS)
      return false
    })
  }
}

/** Every page of the table, by each of these. */
async function everyPage(visit: Visit): Promise<void> {
  const { page } = visit
  const table = [...readFileSync('src/pages/index.ts', 'utf8').matchAll(/path: '([^']+)'/g)].map(([, path = '']) => path)
  const all = await rows(visit)
  const missing = table.filter((path) => path !== '/login' && !all.some((row) => row.path === path))
  if (table.length < 10 || missing.length > 0) throw new Error(`nothing says what these pages do when the collector fails: ${missing.join(', ')}`)
  visit.allow(/ERR_FAILED|ERR_ABORTED/)
  visit.allow(/401 /)
  for (const row of all) await clock(visit, row)
  await page.clock.install()
  for (const row of all) {
    await faults(visit, row)
    await loggedOut(visit, row)
  }
  await login(visit)
}

export default async function (visit: Visit): Promise<void> {
  await problems(visit)
  await everyPage(visit)
  visit.push('web-1', 'fan', 'OK', 'it turns')
  await visit.api('DELETE', '/api/muster/v1/discovery/rules/lacks-rule')
}
