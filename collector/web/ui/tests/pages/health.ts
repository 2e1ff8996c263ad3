// Health: the collector's own state, what it refused, what the doctor finds, and a snapshot that is made from the page.
import { own } from '../../src/api/own'
import { lossOf, ON_HOSTS, REMEDIES } from '../../src/pages/health/losses'
import type { Visit } from '../visit'

/** Names that tell of something lost, turned away or failed, and are counted elsewhere on the page or are no loss. */
const LOSS = /(dropped|refused|refusals|lost|losses|dead|damaged|damages|skips|skipped_bytes|gaps|failed|failures|faults|errors|missed|untold|full|forced|summed|truncated|timeouts|unparsed|reverts)(_total)?$/
const NO_LOSS = new Set(['muster_agent_connect_failures_total', 'muster_agent_gaps_total'])

interface Made {
  readonly running: unknown
  readonly ended: { problem: string | null } | null
  readonly snapshots: readonly { id: string }[]
}

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  await visit.open('/health')
  await visit.see('Collector')
  const status = (await visit.api('GET', '/api/muster/v1/status')) as { collector: { version: string }; addresses: { agents: string } }
  await visit.see(status.collector.version)
  await visit.see(status.addresses.agents)
  await page.getByRole('region', { name: 'Storage by kind' }).getByText('metrics').waitFor()

  // Each of its counters of losses, and each of the agents', has words on this page.
  const { numbers } = (await visit.api('GET', '/api/muster/v1/status')) as { numbers: { name: string }[] }
  const { data: names } = (await visit.api('GET', '/api/v1/label/__name__/values')) as { data: string[] }
  const bare = (name: string): string => /^muster_agent_(.+)_total$/.exec(name)?.[1] ?? ''
  for (const name of new Set([...numbers.map((one) => one.name), ...names].filter((name) => LOSS.test(name) && !NO_LOSS.has(name)))) {
    if (name.startsWith('muster_collector_') ? own(REMEDIES, lossOf(name) ?? '') === undefined : name.startsWith('muster_agent_') && own(ON_HOSTS, bare(name)) === undefined) throw new Error(`the page has no words for ${name}`)
  }

  // Somebody is refused, and it is counted, named and explained.
  const refused = await fetch(`${visit.url}/api/muster/v1/status`, { headers: { Authorization: 'Bearer wrong' } })
  if (refused.status !== 401) throw new Error(`a wrong token got ${refused.status}`)
  await page.reload()
  const drops = page.getByRole('region', { name: 'Dropped and refused', exact: true })
  await drops.getByText('unauthorized, read').first().waitFor()
  if ((await drops.getByText('too many').count()) > 0) throw new Error('a counter at 0 is not folded')
  await page.getByRole('button', { name: /counters at 0/ }).click()
  await page.waitForURL(/zeros=shown/)
  await drops.getByText('too many').first().waitFor()

  // The doctor: what is wrong has what helps; what is well unfolds, and the URL keeps it.
  await page.getByRole('button', { name: /found nothing wrong/ }).click()
  await page.waitForURL(/well=shown/)
  await visit.see(/it answers on/)
  await page.reload()
  await visit.see(/it answers on/)
  await page.getByRole('button', { name: 'Hide what is well' }).click()
  await page.getByRole('button', { name: 'Hide those that are 0' }).click()

  // A snapshot: made by a click, and there for the API too.
  const before = (await visit.api('GET', '/api/muster/v1/snapshots')) as Made
  await page.getByRole('button', { name: 'Make one now' }).click()
  await page.getByRole('radio', { name: 'Left out' }).click()
  await visit.see('After a restore every host must enrol anew.')
  await visit.axe()
  await page.getByRole('button', { name: 'Make it' }).click()
  let made: Made = before
  await visit.until('the end of the snapshot', async () => {
    made = (await visit.api('GET', '/api/muster/v1/snapshots')) as Made
    return made.running === null && made.ended !== null && (made.ended.problem !== null || made.snapshots.length > before.snapshots.length)
  })
  const problem = made.ended?.problem
  if (problem) await visit.see(problem)
  else await page.getByRole('region', { name: 'Snapshots' }).last().getByText(made.snapshots.at(-1)?.id ?? 'an id').waitFor()
  // The doctor has looked anew: there is one to go back to.
  if (!problem) await visit.until('the end of the finding', async () => (await page.getByText('there is no snapshot to go back to').count()) === 0)
  await visit.look('health', 'Collector')

  // The queue of notices: what was given up first, what is tried again with its error and time; the own series as plots.
  const at = Date.now()
  const row = (notice: number, state: string, more: object) => ({ notice, state, receiver: 'ops', recipient: `${state}@example.org`, server: 'mail.example.org', attempts: 3, may_have_arrived: false, queued_ms: at - 600_000, next_ms: null, done_ms: null, subject: '<img src=x onerror=alert(1)> DiskFull', problem: '', ...more })
  const rows = [row(1, 'queued', { attempts: 0 }), row(2, 'deferred', { next_ms: at + 120_000, problem: '451 <b>try later</b>' }), row(3, 'dead', { problem: '550 no such user', done_ms: at })]
  // What a newer collector tells is shown; this one may be silent about it.
  await page.route('**/api/muster/v1/status', async (route) => {
    // What is asked while the page goes away has nobody who waits for it.
    const answer = await route.fetch().catch(() => null)
    if (answer === null) return
    const json = (await answer.json()) as { hosts: object }
    const group = { file: '/rules/a.yml', name: 'hosts <b>', interval_ms: 30_000, last_ms: at - 5000, took_ms: 12.5, failing: 1, missed: 0 }
    await route.fulfill({ response: answer, json: { ...json, hosts: { ...json.hosts, lag: { known: 9, over_1m: 3, over_5m: 1 } }, ca: { expires_ms: at + 1.5 * 86_400_000 }, rule_groups: [group] } }).catch(() => undefined)
  })
  await page.route('**/api/muster/v1/mail*', (route) => route.fulfill({ json: { version: 1, rows } }))
  await page.reload()
  const queue = page.getByRole('region', { name: 'Queue of notices' })
  await queue.getByText('550 no such user').waitFor()
  await visit.see('3 of 9 hosts older than 1 m, 1 than 5 m')
  await visit.see('hosts <b>')
  await visit.see(/^for 1 d/)
  const states = await queue.locator('tbody .badge').allTextContents()
  if (states.join() !== 'given up,tried again,waiting') throw new Error(`the queue is in the order ${states.join()}`)
  await queue.getByText(/^in \d/).waitFor()
  await page.getByRole('button', { name: 'Those that arrived' }).click()
  await page.waitForURL(/sent=shown/)
  await queue.scrollIntoViewIfNeeded()
  await page.getByText('One commit', { exact: true }).waitFor()
  await visit.look('health-work', '550 no such user')
  await page.unroute('**/api/muster/v1/mail*')
  await page.unroute('**/api/muster/v1/status')
}
