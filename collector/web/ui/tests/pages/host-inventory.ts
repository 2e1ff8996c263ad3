// What a host has, on its page: now, then and against another; its changes in the overview and on its plots.
import { TOLD_MS, type Visit } from '../visit'

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  await visit.looked('web-1', 'db-1')
  const name = `host-${Date.now()}.conf`
  const rows = async (host: string): Promise<boolean> => JSON.stringify(await visit.api('GET', `/api/muster/v1/hosts/${host}/inventory/files`)).includes(name)
  await visit.open('/hosts/web-1?since=15m')
  await page.getByRole('group', { name: /^Load: .*\d/ }).waitFor()
  visit.watched('web-1', name, 'one')
  await visit.until('the file is told', () => rows('web-1'), TOLD_MS)
  const last = page.getByRole('region', { name: 'Last changes' })
  await last.getByText(new RegExp(`configuration file .*is new`)).first().waitFor()
  await last.getByText('Added', { exact: true }).first().waitFor()
  const plot = page.getByRole('group', { name: /^Load: .*\d/ })
  const [over, caption] = [plot.locator('.u-over'), plot.locator('.title .cut')]
  await visit.until('the words of the change at its mark', async () => {
    const box = await over.boundingBox()
    if (!box) return false
    for (let left = box.width - 1; left > box.width * 0.7; left -= 3) {
      await page.mouse.move(box.x + left, box.y + 40)
      if (/ changed: .*configuration file/.test((await caption.textContent()) ?? '')) return true
    }
    return false
  })
  // A check that fails soon after: the change is what it may come of, here and on the alert's page.
  visit.push('web-1', 'after-a-change', 'CRITICAL', `${name} is broken`)
  const suspects = page.getByRole('region', { name: /^What changed before / })
  await suspects.getByRole('listitem').first().waitFor()
  await suspects.getByText(/^muster changes --for /).waitFor()
  const id = ((await suspects.getByText(/^muster changes --for /).textContent()) ?? '').replace(/^.* /, '')
  const { suspects: told } = (await visit.api('GET', `/api/muster/v1/alerts/${id}/changes?limit=5`)) as { suspects: { change: { words: string } }[] }
  for (const { change } of told) await suspects.getByText(change.words, { exact: true }).first().waitFor()
  await suspects.scrollIntoViewIfNeeded()
  await visit.look('host-before', /^What changed before /)
  await last.getByRole('link', { name: 'all of them' }).click()
  await page.waitForURL(/\/changes\?.*host=web-1/)
  await page.goBack()

  await page.getByRole('navigation', { name: 'Views of the host' }).getByRole('link', { name: 'Inventory' }).click()
  await visit.see('What it has and is')
  await visit.look('host-tables', 'What it has and is')
  await page.getByRole('link', { name: 'files', exact: true }).click()
  await page.waitForURL(/table=files/)
  const table = page.getByRole('grid', { name: 'Rows of files', exact: true })
  await page.getByRole('combobox', { name: 'Filter rows' }).fill(name)
  await page.waitForURL(/q=host-/)
  await visit.see(/^1 of \d+ rows?$/)
  await table.getByTitle(/^between /).waitFor()
  await table.getByRole('button', { name: 'path' }).click()
  await page.waitForURL(/sort=path/)
  await page.reload()
  await visit.see(/^1 of \d+ rows?$/)
  await visit.look('host-rows', /^1 of \d+ rows?$/)

  // Against another host: this one alone has the file.
  await page.getByRole('combobox', { name: 'Compare with' , exact: true }).fill('db-1')
  await page.waitForURL(/with=db-1/)
  const differing = page.getByRole('grid', { name: 'Rows of files that differ' })
  await differing.getByText('Only web-1').waitFor()
  await visit.look('host-compared', /Only web-1/)
  await page.getByLabel('Table').selectOption('')
  await visit.see('What differs')
  await visit.axe()
  await page.getByRole('button', { name: 'Compare no more' }).click()
  await page.waitForURL((url) => !url.searchParams.has('with'))

  // Against itself at another moment, and at one of which nothing is known.
  const { changes } = (await visit.api('GET', `/api/muster/v1/changes?host=web-1&text=${name}`)) as { changes: { after_ms: number; until_ms: number }[] }
  const before = changes[0]?.after_ms ?? 0
  await visit.open(`/hosts/web-1?tab=inventory&table=files&q=${name}&withat=${before}`)
  await differing.getByText('Only in the first').waitFor()
  await visit.open(`/hosts/web-1?tab=inventory&table=files&q=${name}&at=${before}`)
  await visit.see('No row fits the filter')
  visit.allow(/404 .*\/inventory\//)
  await visit.open('/hosts/web-1?tab=inventory&table=files&at=1000')
  await visit.see(/at that time is not known/)
  await page.getByRole('button', { name: 'As of: now' }).click()
  await table.waitFor()
  visit.watched('web-1', name, null)
}
