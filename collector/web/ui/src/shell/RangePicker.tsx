// Which time is looked at, and how times are written.
import { useSignal } from '@preact/signals'
import { Button, Choice } from '../parts/Button'
import { Icon } from '../parts/Icon'
import { Menu } from '../parts/Menu'
import { now } from '../time/clock'
import { fromInput, shortTime, toInput } from '../time/format'
import { isUtc, OFFERED, range, readRange, setRange, setUtc, span } from '../url/range'

function inWords(): string {
  const at = range.value
  if (at.kind === 'last') return `Last ${at.text}`
  return `${shortTime(at.from, now(), isUtc.value)} to ${shortTime(at.to, now(), isUtc.value)}`
}

function Exact({ close }: { readonly close: () => void }) {
  const utc = isUtc.value
  const ends = span(range.peek(), now())
  const from = useSignal(toInput(ends.from, utc))
  const to = useSignal(toInput(ends.to, utc))
  const wrong = useSignal('')
  const set = (): void => {
    const [a, b] = [fromInput(from.value, utc), fromInput(to.value, utc)]
    if (a === null || b === null || a >= b) wrong.value = 'The start must lie before the end'
    else {
      setRange({ kind: 'span', from: a, to: b })
      close()
    }
  }
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        set()
      }}
    >
      <label>
        From <input type="datetime-local" value={from.value} onInput={(event) => (from.value = event.currentTarget.value)} />
      </label>
      <label>
        To <input type="datetime-local" value={to.value} onInput={(event) => (to.value = event.currentTarget.value)} />
      </label>
      {wrong.value && <small class="tone-critical">{wrong.value}</small>}
      <Button type="submit">Look at this time</Button>
    </form>
  )
}

export function RangePicker() {
  return (
    <Menu
      name={`Time: ${inWords()}`}
      button={
        <>
          <Icon sign="time" />
          {inWords()}
        </>
      }
    >
      {(close) => (
        <div class="range-pop">
          <div class="offers">
            {OFFERED.map((text) => (
              <Button
                key={text}
                small
                pressed={range.value.kind === 'last' && range.value.text === text}
                onClick={() => {
                  setRange(readRange(new URLSearchParams({ since: text })))
                  close()
                }}
              >
                {text}
              </Button>
            ))}
          </div>
          <Exact close={close} />
        </div>
      )}
    </Menu>
  )
}

export function ZoneSwitch() {
  return <Choice label="How times are written" value={isUtc.value ? 'utc' : 'local'} choices={[['local', 'Local'], ['utc', 'UTC']]} onChoose={(zone) => setUtc(zone === 'utc')} />
}
