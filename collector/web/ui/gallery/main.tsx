// All parts on one page, for who builds with them: `npm run dev`, then /gallery/. It is in no build.
import { signal } from '@preact/signals'
import { render } from 'preact'
import { lacking } from '../src/api/answer'
import { Age, Bars, Button, Choice, Code, Copy, Dialog, DurationField, Entry, Filter, HeatMap, Labels, Lack, Menu, Moment, Notice, ReasonDialog, say, Section as Card, SmallTable, Spark, StateMark, Strip, Tabs, TextField, VirtualTable, type Column } from '../src/parts'
import { listenForKeys } from '../src/parts/keys'
import { Plot } from '../src/parts/Plot'
import { LOOKS } from '../src/parts/states'
import { Toasts } from '../src/parts/toast'
import { now } from '../src/time/clock'
import { bytes, percent } from '../src/time/format'
import { param } from '../src/url/query'
import { setSpan } from '../src/url/range'
import '../src/style/index.css'

const start = now()
const wave = (n: number, phase: number): (number | null)[] => Array.from({ length: n }, (_, at) => (at > 90 && at < 110 ? null : 0.4 + 0.3 * Math.sin(at / 12 + phase) + 0.05 * Math.sin(at * 1.7)))
const TIMES = Array.from({ length: 240 }, (_, at) => Math.round(start / 1000) - 3600 + at * 15)
const A = wave(240, 0)
const B = wave(240, 2)
const STATES = Object.keys(LOOKS)

interface Row {
  readonly name: string
  readonly state: string
  readonly cpu: readonly (number | null)[]
  readonly strip: string
  readonly memory: number
}
const ROWS: readonly Row[] = Array.from({ length: 5000 }, (_, at) => ({
  name: `host-${String(at).padStart(4, '0')}.example.org`,
  state: at % 97 === 0 ? 'silent' : at % 41 === 0 ? 'rebooting' : 'up',
  cpu: wave(30, at),
  strip: Array.from({ length: 48 }, (_, piece) => ((at + piece) % 97 === 0 ? 'c' : (at * 3 + piece) % 61 === 0 ? 'w' : piece < at % 5 ? '-' : '.')).join(''),
  memory: 1e9 + (at % 77) * 1e8,
}))
const COLUMNS: readonly Column<Row>[] = [
  { name: 'state', title: 'State', width: '130px', cell: (row) => <StateMark state={row.state} />, by: (row) => LOOKS[row.state as 'up'].rank },
  { name: 'name', title: 'Host', width: 'minmax(110px, 2fr)', cell: (row) => row.name, by: (row) => row.name },
  { name: 'strip', title: 'Last day', width: '150px', cell: (row) => <Strip states={row.strip} time="last day" />, from: 600 },
  { name: 'cpu', title: 'CPU', width: '110px', cell: (row) => <Spark values={row.cpu} label="CPU" low={0} high={1} format={percent} />, from: 760 },
  { name: 'memory', title: 'Memory', width: '90px', cell: (row) => bytes(row.memory), by: (row) => row.memory, right: true, from: 420 },
]
const sort = param('sort', '-state')
const chosen = signal<ReadonlySet<string>>(new Set())
const text = signal('env=pr')
const time = signal('2h')
const isOpen = signal(false)
const isAsked = signal(false)
const choice = signal('one')
const MARKS = [{ at: start - 1_500_000, text: 'deploy' }]
const GAPS = [{ from: (TIMES[91] ?? 0) * 1000, to: (TIMES[109] ?? 0) * 1000, why: 'the agent was away' }]

function Section({ title, children }: { readonly title: string; readonly children: preact.ComponentChildren }) {
  return (
    <section class="card pad stack">
      <h2>{title}</h2>
      {children}
    </section>
  )
}

function Gallery() {
  return (
    <main class="content page">
      <h1>Parts</h1>
      <Section title="StateMark">
        <div class="row">
          {STATES.map((state) => (
            <StateMark key={state} state={state} />
          ))}
        </div>
        <div class="row">
          {STATES.map((state) => (
            <StateMark key={state} state={state} short />
          ))}
        </div>
      </Section>
      <Section title="Button, Choice, Menu, Copy">
        <div class="row">
          <Button>Plain</Button>
          <Button kind="accent" onClick={() => say('Done')}>
            Say done
          </Button>
          <Button kind="danger" onClick={() => say('It failed', 'critical')}>
            Say failed
          </Button>
          <Button kind="quiet">Quiet</Button>
          <Button disabled>Disabled</Button>
          <Button small>Small</Button>
          <Choice label="Which" value={choice.value} choices={[['one', 'One'], ['two', 'Two'], ['three', 'Three']]} onChoose={(value) => (choice.value = value)} />
          <Menu button="Menu" left>
            {(close) => (
              <div class="list">
                <Entry onClick={close}>Approve</Entry>
                <Entry onClick={close}>Retire</Entry>
              </div>
            )}
          </Menu>
          <Copy text="copied" />
          <Button onClick={() => (isOpen.value = true)}>Dialog</Button>
          <Button onClick={() => (isAsked.value = true)}>Dialog with a reason</Button>
        </div>
        <Code text="curl -sSf --pinnedpubkey sha256//abc https://collector:9470/install/install.sh | sh -s -- --token word-of-the-token" />
      </Section>
      <Section title="Filter, fields">
        <Filter label="Filter" value={text.value} onInput={(value) => (text.value = value)} offers={() => [{ text: 'env=prod', note: '12' }, { text: 'env=test', note: '3' }, { text: 'host=' }]} />
        <TextField label="Comment" value={text.value} onInput={(value) => (text.value = value)} note="Whoever looks at it reads this" />
        <DurationField label="How long" value={time.value} onInput={(value) => (time.value = value)} none="Until it ends" />
      </Section>
      <Card title="A section" note="with a note" actions={<Button small>Do it</Button>}>
        <SmallTable label="A small table" heads={[['Name'], ['Where', 'wide'], ['Size', 'right']]} rows={[{ key: 'a', cells: ['root', '/', bytes(5e9)] }, { key: 'b', cells: ['data', '/srv', bytes(8e11)] }]} none="There is none." />
      </Card>
      <Section title="Labels, Age, Moment, Notice, Lack">
        <Labels labels={{ env: 'prod', team: 'shop', note: '<b>no markup</b>' }} onPick={(name, value) => say(`${name}=${value}`)} />
        <p>
          <Age ms={start - 75_000} after=" ago" />, <Age ms={start + 90_000} />, <Age ms={null} />, <Moment ms={start} />, <Moment ms={start} short />
        </p>
        <Notice title="A notice:">something to know.</Notice>
        <Notice tone="warning" title="A warning:">something to look at.</Notice>
        <Lack answer={{ ...lacking<unknown>('away', 0), last: [], lastAt: start - 40_000 }} what="hosts" onAgain={() => undefined} />
        <Lack answer={lacking<unknown>('refused', 400, { message: 'unexpected character', where: '1:12', remedy: 'close the bracket' })} what="series" />
      </Section>
      <Section title="Tabs">
        <Tabs label="Views" tab={param('tab', 'metrics')} tabs={[['metrics', 'Metrics'], ['logs', 'Logs'], ['facts', 'Facts']]} />
      </Section>
      <Section title="Plot: shared cursor, marks, gap, threshold, drag a span">
        <Plot title="CPU" times={TIMES} series={[{ label: 'user', values: A }, { label: 'system', values: B }]} from={start - 3_600_000} to={start} format={percent} sync="g" marks={MARKS} gaps={GAPS} threshold={0.8} onSpan={setSpan} />
        <Plot title="Load" times={TIMES} series={[{ label: 'load1', values: B }]} from={start - 3_600_000} to={start} sync="g" marks={MARKS} onSpan={setSpan} />
      </Section>
      <Section title="Bars">
        <Bars label="Lines" from={start - 3_600_000} to={start} onSpan={setSpan} parts={[{ name: 'error', colour: 'critical', counts: A.map((value, at) => (at % 9 === 0 ? Math.round((value ?? 0) * 40) : 0)) }, { name: 'other', colour: 'series-1', counts: B.map((value) => Math.round((value ?? 0) * 100)) }]} />
      </Section>
      <Section title="HeatMap">
        <HeatMap label="Hosts" cells={ROWS.slice(0, 700).map((row) => ({ key: row.name, label: row.name, state: row.state }))} onOpen={(cell) => say(cell.label)} />
      </Section>
      <Section title="VirtualTable: 5,000 rows">
        <VirtualTable label="Hosts" rows={ROWS} columns={COLUMNS} keyOf={(row) => row.name} sort={sort} chosen={chosen} onOpen={(row) => say(row.name)} most={420} />
      </Section>
      {isOpen.value && (
        <Dialog title="A dialog" submit="Do it" onSubmit={() => void (isOpen.value = false)} onClose={() => (isOpen.value = false)}>
          <TextField label="Name" value={text.value} onInput={(value) => (text.value = value)} autoFocus />
        </Dialog>
      )}
      {isAsked.value && (
        <ReasonDialog title="Archive unit shop.service" submit="Archive" said="Archived" danger required send={() => Promise.resolve({ kind: 'data', data: null, at: 0 })} onClose={() => (isAsked.value = false)} onDone={() => undefined}>
          <p>It is not watched any more.</p>
        </ReasonDialog>
      )}
      <Toasts />
    </main>
  )
}

listenForKeys()
const place = document.getElementById('app')
if (place) render(<Gallery />, place)
