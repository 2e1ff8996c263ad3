// The gate: the board by service and environment, a question with its reasons, an override, decisions that are judged again.
import type { Visit } from '../visit'

interface Decision {
  readonly verdict: 'go' | 'no-go' | 'unknown'
  readonly reasons: readonly { readonly code: string; readonly lifted: boolean }[]
}
const WORDS = { go: 'Go', 'no-go': 'No-go', unknown: 'Unknown' } as const

export default async function (visit: Visit): Promise<void> {
  const version = `7.${Date.now()}`
  const env = (name: string): Promise<unknown> => visit.api('POST', '/api/muster/v1/hosts/db-1/labels', { set: { env: name } })
  await env('staging')
  try {
    await visit.until('the environment', async () => JSON.stringify(await visit.api('GET', '/api/muster/v1/services')).includes('"staging"'))
    await gate(visit, version)
  } finally {
    visit.push('web-1', 'gated', 'OK', 'it is well again')
    await env('prod')
  }
}

async function gate(visit: Visit, version: string): Promise<void> {
  const { page } = visit
  const ask = async (more: string): Promise<Decision> => (await visit.api('GET', `/api/muster/v1/gate?service=shop&to=prod&version=${more}`)) as Decision
  await visit.api('POST', '/api/muster/v1/deploys', { service: 'shop', env: 'staging', version })
  await visit.api('POST', '/api/muster/v1/deploys/finish', { service: 'shop', env: 'staging', result: 'ok' })

  // Where it is, it is said to be; where it could go next, the gate has been asked. It has not soaked.
  await visit.open('/gate')
  const board = page.getByRole('region', { name: 'The gate by service and environment' })
  await board.getByText(`${version} is there`).waitFor()
  await board.getByRole('button', { name: version }).waitFor()
  visit.push('web-1', 'gated', 'CRITICAL', 'it is broken <b>here</b>')
  await visit.until('the problem counts', async () => (await ask(version)).reasons.some(({ code }) => code === 'problem'))
  await page.reload()
  await board.getByText('No-go', { exact: true }).waitFor()
  await board.getByText(/problem.*soak short/).waitFor()
  await visit.look('gate', `${version} is there`)

  // Its reasons, each with where it is seen.
  await board.getByRole('button', { name: version }).click()
  await page.waitForURL(new RegExp(`service=shop.*version=${version}.*to=prod`))
  const reasons = page.getByRole('list', { name: 'Reasons' })
  await reasons.getByText('soak_short').waitFor()
  const problem = reasons.getByRole('listitem').filter({ hasText: 'gated' })
  await problem.getByText('problem', { exact: true }).waitFor()
  await page.getByText(`muster gate --service shop --version ${version} --to prod`).waitFor()
  await visit.look('gate-reasons', 'soak_short')
  await problem.getByRole('link', { name: 'see it' }).click()
  await page.waitForURL((url) => url.pathname !== '/gate')
  await page.goBack()

  // An override lifts what speaks against it, and not what is not known.
  await page.getByRole('button', { name: 'Override' }).click()
  const dialog = page.getByRole('dialog')
  if (await dialog.getByRole('button', { name: 'Override' }).isEnabled()) throw new Error('it can be overridden without a reason')
  await dialog.getByLabel('Reason').fill('I stand for it')
  await dialog.getByRole('button', { name: 'Override' }).click()
  await problem.getByText('lifted', { exact: true }).waitFor()
  await page.getByText('Not enough is known to let it go there.').waitFor()
  await visit.axe()
  await page.getByRole('button', { name: 'Close', exact: true }).click()
  await page.waitForURL((url) => !url.search.includes('version='))

  // Any version, also back to one.
  const form = page.getByRole('region', { name: 'Ask about another version' })
  await form.getByLabel('Version').fill('never-seen')
  await form.getByLabel('Goes to').selectOption('prod')
  await form.getByLabel('it is a rollback').check()
  await form.getByRole('button', { name: 'Ask the gate' }).click()
  await page.waitForURL(/version=never-seen.*rollback=1/)
  await reasons.getByText('never_ended_ok').waitFor()
  const { verdict } = await ask('never-seen&rollback=true')
  await page.getByRole('region', { name: /^Back to never-seen/ }).getByText(WORDS[verdict], { exact: true }).first().waitFor()

  // Decisions are kept with their facts.
  await page.getByRole('link', { name: 'Decisions', exact: true }).click()
  const kept = page.getByRole('row').filter({ hasText: `${version} of shop to prod` }).filter({ hasText: `user:${visit.user}` })
  await kept.filter({ hasText: 'problem by' }).first().waitFor()
  await kept.filter({ hasText: 'problem by' }).first().getByRole('button').click()
  await page.waitForURL(/decision=\d+/)
  await visit.see('judged again they say the same')
  await reasons.getByText('lifted', { exact: true }).first().waitFor()
  await visit.look('gate-decisions', 'judged again they say the same')
}
