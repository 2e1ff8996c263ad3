// Set up: a token made by the form lets a host in, which the page waits for; tokens are revoked; who waits is let in or refused.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Visit } from '../visit'

interface Host {
  readonly id: string
  readonly name: string
  readonly state: string
}
interface Token {
  readonly id: string
  readonly pattern: string | null
  readonly revoked_ms: number | null
}

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  const folder = mkdtempSync(join(tmpdir(), 'muster-setup-'))
  const mark = Math.random().toString(36).slice(2, 7)
  const hosts = async (): Promise<readonly Host[]> => ((await visit.api('GET', '/api/muster/v1/hosts?all=true')) as { hosts: Host[] }).hosts
  const status = (await visit.api('GET', '/api/muster/v1/status')) as { addresses: { agents: string } }
  const enrol = (name: string, word: string, state: string): void => {
    const words = ['enrol', '--collector', status.addresses.agents, '--token', word, '--name', name, '--state', join(folder, state), '--no-wait']
    try {
      execFileSync(join(process.env['MUSTER_PROGRAMS'] ?? '', 'muster-agent'), words, { stdio: 'ignore' })
    } catch {
      // It must wait: what the registry says is looked at by whoever calls.
    }
  }
  const retire = async (): Promise<void> => {
    for (const host of await hosts()) if (host.name.includes(mark) && host.state !== 'retired') await visit.api('POST', `/api/muster/v1/hosts/${host.id}/retire`, { reason: 'the test is over' })
  }
  try {
    await visit.open('/hosts-setup')
    await page.getByRole('radio', { name: 'Several hosts' }).click()
    await page.getByLabel('Names', { exact: true }).fill(`app-${mark}-*`)
    await page.getByLabel('Labels', { exact: true }).fill('role')
    await page.getByRole('button', { name: 'Make a token' }).click()
    await visit.see(/this is none: role/)
    await page.getByLabel('Labels', { exact: true }).fill('role=app')
    await page.getByRole('button', { name: 'Make a token' }).click()
    await visit.see(/There is no command that does it all/)
    await visit.see(/loopback/)
    const text = (await page.locator('.code pre').first().textContent()) ?? ''
    const word = /--token (\S+)/.exec(text)?.[1]
    if (!word) throw new Error(`no token in the command: ${text}`)
    await visit.see(/Waiting for the first host/)
    await visit.axe()

    // The page waits for it, and leads to it.
    enrol(`app-${mark}-1`, word, 'one')
    const link = page.getByRole('link', { name: `app-${mark}-1` })
    await link.waitFor()
    if ((await link.getAttribute('href')) !== `/hosts/app-${mark}-1`) throw new Error('the link does not lead to the host')
    await visit.see('9 of 10')

    // Another machine of the same name waits; it is let in under its own.
    enrol(`app-${mark}-1`, word, 'two')
    await page.getByRole('button', { name: `Let in app-${mark}-1` }).click()
    await visit.axe()
    await page.getByRole('dialog').getByLabel('Name', { exact: true }).fill(`app-${mark}-2`)
    await page.getByRole('button', { name: 'Let it in' }).click()
    await visit.until('the second host', async () => (await hosts()).some((host) => host.name === `app-${mark}-2` && host.state === 'active'))

    // A third is refused.
    enrol(`app-${mark}-1`, word, 'three')
    await page.getByRole('button', { name: `Refuse app-${mark}-1` }).waitFor()
    await visit.look('setup-waiting', 'Waiting to be let in')
    await page.getByRole('button', { name: `Refuse app-${mark}-1` }).click()
    await page.getByLabel('Reason').fill('not ours')
    await page.getByRole('button', { name: 'Refuse', exact: true }).last().click()
    await visit.until('the refusal', async () => (await hosts()).filter((host) => host.name === `app-${mark}-1`).map((host) => host.state).sort().join() === 'active,retired')
    await page.getByRole('button', { name: `Refuse app-${mark}-1` }).waitFor({ state: 'detached' })

    // Revoked, it lets nobody in; the URL keeps that old ones are shown.
    const tokens = async (): Promise<readonly Token[]> => ((await visit.api('GET', '/api/muster/v1/tokens')) as { tokens: Token[] }).tokens
    const id = (await tokens()).find((token) => token.pattern === `app-${mark}-*`)?.id
    await page.getByRole('button', { name: `Revoke token ${id}` }).click()
    await visit.until('the end of the token', async () => (await tokens()).every((token) => token.id !== id || token.revoked_ms !== null))
    await page.getByRole('button', { name: /^Show .* old/ }).click()
    await page.waitForURL(/tokens=all/)
    await page.getByRole('cell', { name: 'used up' }).first().waitFor()
    await visit.look('setup', 'used up')

    // Two more wait under one taken name: together they are refused, with a reason; that two have one name lets none in by a click.
    const more = async (pattern: string): Promise<string> => ((await visit.api('POST', '/api/muster/v1/tokens', { kind: 'enrolment', pattern, ttl: '1h', uses: 3, ephemeral: '1h' })) as { token: { word: string } }).token.word
    const other = await more(`app-${mark}-*`)
    enrol(`app-${mark}-1`, other, 'four')
    enrol(`app-${mark}-1`, other, 'five')
    await visit.open('/hosts-setup')
    const boxes = page.getByRole('checkbox', { name: new RegExp(`^Choose app-${mark}-1`) })
    await visit.until('both wait', async () => (await boxes.count()) === 2)
    await visit.see(/Asks for a taken name/)
    await visit.see(/the same machine id|the same machine,/)
    await page.getByRole('checkbox', { name: 'Choose all that wait' }).click()
    await page.getByRole('button', { name: 'Let them in' }).click()
    await visit.see(/2 more stay/)
    if ((await page.getByRole('dialog').getByRole('button', { name: 'Let them in' }).count()) > 0) throw new Error('a taken name is let in by a click')
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
    await page.getByRole('button', { name: 'Refuse them' }).click()
    await page.getByLabel('Reason').fill('not ours, together')
    await visit.axe()
    await page.getByRole('dialog').getByRole('button', { name: 'Refuse them' }).click()
    await visit.until('both refusals', async () => ((await visit.api('GET', '/api/muster/v1/hosts?all=true')) as { hosts: { name: string; state: string; reason: string }[] }).hosts.filter((host) => host.name === `app-${mark}-1` && host.reason === 'not ours, together' && host.state === 'retired').length === 2)

    // The life of a host, from the list: another name, then retired, and found among those that are.
    await page.getByRole('combobox', { name: 'Filter hosts' }).fill(`app-${mark}-2`)
    await page.getByRole('button', { name: `app-${mark}-2` }).click()
    await visit.see('Its page')
    await visit.look('setup-host', 'Its page')
    await page.getByRole('button', { name: 'Rename ...' }).click()
    await page.getByLabel('New name').fill(`app-${mark}-9`)
    await page.getByRole('dialog').getByRole('button', { name: 'Rename', exact: true }).click()
    await visit.until('the other name', async () => (await hosts()).some((host) => host.name === `app-${mark}-9`))
    if (!page.url().includes('/hosts-setup')) throw new Error('the page is left')
    await page.getByRole('combobox', { name: 'Filter hosts' }).fill(`app-${mark}`)
    await page.getByRole('button', { name: `app-${mark}-9` }).click()
    await page.getByRole('button', { name: 'Retire ...' }).click()
    await page.getByLabel('Reason').fill('its time is over')
    await page.getByRole('button', { name: 'Retire for good' }).click()
    await visit.until('its end', async () => (await hosts()).some((host) => host.name === `app-${mark}-9` && host.state === 'retired'))
    await page.getByRole('radio', { name: 'Retired' }).click()
    await page.waitForURL(/hosts=retired/)
    await visit.see('its time is over')
    await visit.look('setup-retired', 'its time is over')
  } finally {
    await retire()
    rmSync(folder, { recursive: true, force: true })
  }
}
