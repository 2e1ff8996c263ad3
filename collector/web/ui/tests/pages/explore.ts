// Metrics: what is written is completed, plotted, listed and refused with its place; a host leads to its metrics.
import type { Visit } from '../visit'

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  await visit.open('/explore?q=node_load1')
  const series = page.getByRole('region', { name: 'Query A' })
  await series.getByText('web-1').first().waitFor()
  await series.getByText('db-1').first().waitFor()
  // One alone, by a click; the URL keeps it.
  await series.getByRole('button', { name: /web-1/ }).click()
  await page.waitForURL(/qonly=/)

  // Completion of a name, then of a value.
  const field = page.getByRole('textbox', { name: 'Query A' })
  await field.fill('node_loa')
  await series.getByRole('option', { name: 'node_load15' }).waitFor()
  await field.fill('node_load1{host="')
  await series.getByRole('option', { name: /db-1/ }).click()
  await field.press('End')
  await field.pressSequentially('}')
  await field.press('Enter')
  await page.waitForURL(/db-1/)

  // What is wrong is said, in the words of the API.
  visit.allow(/400 /)
  await field.fill('sum(node_load1')
  await field.press('Enter')
  await series.getByRole('alert').waitFor()

  // By host: names in groups, search, and each click adds a plot.
  await visit.open('/explore')
  await page.getByLabel('Host', { exact: true }).selectOption('web-1')
  await page.getByRole('button', { name: /^node_memory \d+/ }).click()
  await page.waitForURL(/open=node_memory/)
  await page.getByRole('button', { name: 'node_memory_MemFree_bytes' }).click()
  await page.waitForURL(/q=node_memory_MemFree_bytes/)
  await page.getByLabel('Find a metric').fill('load5 node')
  await page.getByRole('button', { name: 'node_load5', exact: true }).click()
  await page.waitForURL(/q2=node_load5/)
  await page.getByRole('region', { name: 'Query B' }).getByRole('group', { name: /^B: / }).waitFor()
  if (!(await page.getByRole('button', { name: 'node_load5', exact: true }).isDisabled())) throw new Error('what is plotted can be added again')
  // Bytes are bytes on the axis and in the table below it.
  await page.getByRole('region', { name: 'Query A' }).getByRole('group', { name: /^A: .* [KMGT]?i?B/ }).waitFor()
  await visit.look('explore-host', /node_memory_MemFree_bytes/)
  await page.getByRole('button', { name: 'Remove query A' }).click()
  await page.waitForURL((url) => (url.searchParams.get('q') ?? '').startsWith('node_load5') && !url.searchParams.has('q2'))

  // What a query compares with is a line; its series are drawn also where they are below it.
  await visit.open(`/explore?q=${encodeURIComponent('rate(node_cpu_seconds_total{mode="idle"}[1m]) > 123')}`)
  await visit.see(/a share of 100 %; limit 12,?300 %; what the comparison leaves out is drawn too/)
  await page.getByRole('group', { name: /^A: .* %/ }).waitFor()
  await page.getByRole('radio', { name: 'Stacked' }).click()
  await page.waitForURL(/draw=stacked/)
  await page.reload()
  await page.getByRole('radio', { name: 'Stacked', checked: true }).waitFor()
  await page.getByRole('radio', { name: 'Values' }).click()
  await visit.see('No series at this time.')

  // Events of the hosts are marked, with their words at the cursor.
  visit.push('web-1', 'explored', 'CRITICAL', 'it is marked <b>here</b>')
  await visit.open('/explore?since=15m&q=node_load1')
  await page.getByRole('group', { name: /^A: / }).waitFor()
  const over = page.locator('.plot .u-over')
  const caption = page.locator('.plot .title .cut')
  await visit.until('the words of a mark', async () => {
    const box = await over.boundingBox()
    if (!box) return false
    for (let left = box.width - 60; left < box.width; left += 3) {
      await page.mouse.move(box.x + left, box.y + 60)
      if (/web-1.*it is marked <b>here/.test((await caption.textContent()) ?? '')) return true
    }
    return false
  })
  await page.getByRole('button', { name: 'Events' }).click()
  await page.waitForURL(/events=0/)
  visit.push('web-1', 'explored', 'OK', 'over')
  await visit.open('/explore?host=web-1&q=node_load5')

  // A second query, and values.
  await page.getByRole('button', { name: 'Add a query' }).click()
  const second = page.getByRole('textbox', { name: 'Query B' })
  await second.fill('count(node_load1)')
  await second.press('Enter')
  await page.waitForURL(/q2=/)
  await page.getByRole('radio', { name: 'Values' }).click()
  await page.getByRole('region', { name: 'Query B' }).getByRole('cell', { name: '2', exact: true }).waitFor()
  await page.reload()
  await page.getByRole('region', { name: 'Query B' }).getByRole('cell', { name: '2', exact: true }).waitFor()

  await visit.open('/explore?q=node_load1')
  await visit.look('explore', 'By host')
}
