// Logs: words and LogQL, completion, levels over time, a line's fields, older lines, a live tail, all in the URL.
import type { Visit } from '../visit'

interface Found {
  readonly data: { readonly result: readonly { readonly stream: Record<string, string>; readonly values: readonly (readonly [string, string])[] }[] }
}

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  const lines = async (query: string): Promise<Found['data']['result']> => ((await visit.api('GET', `/loki/api/v1/query_range?limit=5000&query=${encodeURIComponent(query)}`)) as Found).data.result
  const count = async (query: string): Promise<number> => (await lines(query)).reduce((sum, { values }) => sum + values.length, 0)
  await visit.until('600 lines are there', async () => (await count('{app="shop"}')) >= 600)
  const search = page.getByRole('combobox', { name: 'Search logs' })

  // Words of every host; one that is hostile is a text.
  await visit.open('/logs')
  await search.fill('"no stock" web-1')
  await page.waitForURL(/q=/)
  await visit.see('web-1 order 7 failed: no stock')
  const failed = await count('{host=~".+"} |= "no stock" |= "web-1"')
  await visit.see(`${failed} lines, the newest first; there are no more`)
  await page.reload()
  await visit.see(`${failed} lines, the newest first; there are no more`)
  await search.fill('onerror=alert')
  await visit.see('<img src=x onerror=alert(13)>')

  // Labels and values are offered.
  await search.fill('')
  await search.fill('{ap')
  await page.getByRole('option', { name: '{app=', exact: true }).click()
  await page.getByRole('option', { name: '{app="shop"' }).click()
  // The caret is put behind what was taken when that is drawn.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
  await search.pressSequentially('} |= "order"')
  await search.press('Enter')
  await page.waitForURL((url) => url.searchParams.get('q') === '{app="shop"} |= "order"')
  await page.getByRole('img', { name: /^Log lines by level: [6-9]\d\d in all/ }).waitFor()

  // More by the answer's own mark, and again after a reload.
  await visit.see('500 lines, the newest first')
  await page.getByRole('button', { name: 'Older lines' }).click()
  const all = await count('{app="shop"} |= "order"')
  await visit.see(`${all} lines, the newest first`)
  await page.waitForURL(/lines=1000/)
  await page.reload()
  await visit.see(`${all} lines, the newest first`)
  await visit.look('logs', `${all} lines, the newest first`)

  // A line's labels and fields; a click on one is a condition, for its stream in the selector, for its own as a step.
  await search.fill('{app="shop"} |= "no stock"')
  await search.press('Enter')
  const line = page.getByRole('grid', { name: 'Log lines' }).getByRole('button', { name: 'web-1 order 7 failed', exact: false })
  await line.first().click()
  await page.waitForURL(/line=/)
  await visit.look('logs-line', 'of the line')
  await page.getByTitle('only lines with host=web-1').click()
  await page.waitForURL((url) => url.searchParams.get('q') === '{app="shop", host="web-1"} |= "no stock"')
  await visit.see(`${await count('{app="shop", host="web-1"} |= "no stock"')} lines, the newest first`)
  await line.first().click()
  await page.getByTitle('only lines with level=error').click()
  await page.waitForURL((url) => url.searchParams.get('q') === '{app="shop", host="web-1"} |= "no stock" | level="error"')
  await visit.see('web-1 order 257 failed')
  await page.goBack()
  await page.goBack()
  await page.waitForURL((url) => !(url.searchParams.get('q') ?? '').includes('level'))

  // What stands around it is of its source, and not what was searched for; more of it both ways, and all of it in the URL.
  await visit.open(`/logs?q=${encodeURIComponent('{app="shop"} |= "web-1 order 57 failed"')}`)
  await page.getByRole('grid', { name: 'Log lines' }).getByRole('button', { name: 'web-1 order 57 failed', exact: false }).click()
  await page.getByRole('button', { name: 'Around it' }).click()
  const around = page.getByRole('list', { name: 'Lines around it' })
  const orders = async (): Promise<string[]> => (await around.getByText(/order \d+/).allInnerTexts()).map((text) => /order (\d+)/.exec(text)?.[1] ?? '')
  await visit.until('20 lines on each side', async () => (await orders()).join() === Array.from({ length: 41 }, (_, at) => 37 + at).join())
  await visit.see('20 lines before')
  if (!(await around.locator('[aria-current=true]').innerText()).includes('web-1 order 57 failed')) throw new Error('the line is not marked')
  await page.getByRole('button', { name: '20 later' }).click()
  await page.getByRole('button', { name: '20 earlier' }).click()
  await page.getByRole('button', { name: '20 earlier' }).click()
  await page.waitForURL(/earlier=60/)
  await visit.until('all that came before', async () => (await orders()).join() === Array.from({ length: 98 }, (_, at) => at).join())
  await visit.see('57 lines before, no more within 6 h')
  const inSight = async (): Promise<boolean> => {
    const [list, line] = [await around.boundingBox(), await around.locator('[aria-current=true]').boundingBox()]
    return list !== null && line !== null && line.y >= list.y && line.y + line.height <= list.y + list.height
  }
  if (!(await inSight())) throw new Error('what came before has pushed the line away')
  await visit.look('logs-around', '57 lines before, no more within 6 h')
  await visit.until('the same after a reload', async () => (await orders()).length === 98)
  await page.keyboard.press('Escape')
  await page.waitForURL((url) => !url.searchParams.has('around') && url.searchParams.has('q'))
  await page.goBack()
  await page.getByRole('link', { name: 'Search this source' }).click()
  await page.waitForURL((url) => (url.searchParams.get('q') ?? '').includes('filename=') && url.searchParams.has('from'))
  await visit.see('300 lines, the newest first; there are no more')
  await visit.open(`/logs?q=${encodeURIComponent('{app="shop", host="web-1"} |= "no stock"')}`)

  // By keys alone.
  await page.getByRole('grid', { name: 'Log lines' }).focus()
  await page.keyboard.press('End')
  await page.keyboard.press('Enter')
  await page.getByTitle('only lines with app=shop').waitFor()
  await page.keyboard.press('Enter')
  await page.getByTitle('only lines with app=shop').waitFor({ state: 'detached' })

  // Dragging takes a shorter time.
  const bars = page.getByRole('img', { name: /^Log lines by level/ })
  await bars.waitFor()
  const box = await bars.boundingBox()
  if (!box) throw new Error('the histogram is not drawn')
  await page.mouse.move(box.x + box.width * 0.5, box.y + 20)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width - 2, box.y + 20)
  await page.mouse.up()
  await page.waitForURL(/from=\d+.*to=\d+/)
  await visit.see(/lines, the newest first/)

  // What is wrong in LogQL is said, and it goes away with it.
  visit.allow(/400 .*query_range/)
  await visit.open('/logs')
  await search.fill('{app="shop" |')
  await search.press('Enter')
  await visit.see(/parse error at line 1/)
  await visit.look('logs-error', /parse error at line 1/)
  await search.fill('sum(count_over_time({app="shop"}[1m]))')
  await search.press('Enter')
  await visit.see('This query gives numbers')
  await search.fill('nothing-has-this-word')
  await visit.see('None in this time fits')
  await visit.look('logs-none', 'None in this time fits')

  // Wrapped, and the command.
  await visit.open(`/logs?q=${encodeURIComponent('{app="shop"}')}`)
  await page.getByRole('button', { name: 'Wrap' }).click()
  await page.waitForURL(/wrap=1/)
  await page.getByRole('button', { name: 'Copy as command' }).click()
  await visit.see('Copied')

  // Live: a line that is pushed now comes by itself, and waits while it is paused. No host's, of which other tests count lines.
  const push = (level: string, text: string): Promise<unknown> => visit.api('POST', '/loki/api/v1/push', { streams: [{ stream: { app: 'tailed' }, values: [[`${Date.now()}000000`, text, { level }]] }] })
  await visit.open(`/logs?wrap=1&q=${encodeURIComponent('{app="tailed"}')}`)
  await page.getByRole('button', { name: 'Live tail' }).click()
  await page.waitForURL(/tail=1/)
  await page.locator('.logs-tail').getByText('Live', { exact: true }).waitFor()
  const mark = `tail-${Date.now()}`
  await push('warn', `${mark} <b>one</b> ${'and so on '.repeat(30)}`)
  await visit.see(`${mark} <b>one</b>`)
  await page.getByRole('button', { name: 'Pause' }).click()
  await push('info', `${mark} two`)
  await visit.see('1 more line since')
  if (await page.getByText(`${mark} two`).count()) throw new Error('a paused tail goes on')
  await page.getByRole('button', { name: 'Go on' }).click()
  await visit.see(`${mark} two`)
  await visit.look('logs-tail', `${mark} two`)

  // What the collector could not hand over, and why it ended, is said.
  const told = [['dropped', { version: 1, at_ns: '1', count: 7 }], ['bye', { version: 1, why: 'the collector stops' }]] as const
  await page.route('**/logs/tail?*', (route) => route.fulfill({ contentType: 'text/event-stream', body: told.map(([name, data]) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`).join('') }))
  await page.reload()
  await visit.see('7 lines not shown')
  await visit.see(/the collector stops/)
  await visit.axe()
  await page.unroute('**/logs/tail?*')
  await page.getByRole('button', { name: 'Begin again' }).click()
  await visit.see(`${mark} two`)
}
