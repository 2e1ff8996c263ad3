// Health: the collector's own state, what it refused, what the doctor finds, and a snapshot that is made from the page.
import type { Visit } from '../visit'

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

  // Somebody is refused, and it is counted, named and explained.
  const refused = await fetch(`${visit.url}/api/muster/v1/status`, { headers: { Authorization: 'Bearer wrong' } })
  if (refused.status !== 401) throw new Error(`a wrong token got ${refused.status}`)
  await page.reload()
  const drops = page.getByRole('region', { name: 'Dropped and refused' }).last()
  await drops.getByText('unauthorized, read').waitFor()
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
}
