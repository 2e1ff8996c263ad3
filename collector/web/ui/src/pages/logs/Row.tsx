// A line of the list, and what it has when it is open.
import { Button, Copy } from '../../parts'
import { clockTime, dateTime } from '../../time/format'
import { isUtc } from '../../url/range'
import { letterOf, toneOfLevel } from '../../lines/levels'
import type { Line } from '../../lines/lines'
import { canFilter, type narrowed } from './query'
import { fieldsOf, type Field } from './heights'

export interface RowProps {
  readonly line: Line
  readonly isOpen: boolean
  readonly isWrapped: boolean
  readonly onOpen: () => void
  readonly onAround: () => void
  readonly onPick: (name: string, value: string, kind: Parameters<typeof narrowed>[3], isNot: boolean) => void
}

const KINDS: Readonly<Record<Field['kind'], string>> = { label: 'label', metadata: 'of the line', parsed: 'parsed' }

export function Row({ line, isOpen, isWrapped, onOpen, onAround, onPick }: RowProps) {
  return (
    <div class={`logs-line${isOpen ? ' open' : ''}`}>
      <time role="gridcell" class="mono soft nowrap" title={dateTime(line.ms, isUtc.value)}>
        {clockTime(line.ms, isUtc.value).slice(0, 8)}
        <span class="logs-ms">{clockTime(line.ms, isUtc.value).slice(8)}</span>
      </time>
      <span role="gridcell" class={`logs-level mono tone-${toneOfLevel(line.level)}`} title={line.level}>
        <span aria-hidden="true">{letterOf(line.level)}</span>
        <span class="unseen">{line.level}</span>
      </span>
      <div role="gridcell" class="logs-text">
        <button type="button" tabIndex={-1} class={`mono${isOpen || isWrapped ? ' wrap' : ''}`} aria-expanded={isOpen} onClick={onOpen}>
          {line.text || '\u00a0'}
        </button>
        {isOpen && <Fields line={line} onAround={onAround} onPick={onPick} />}
      </div>
    </div>
  )
}

function Fields({ line, onAround, onPick }: Pick<RowProps, 'line' | 'onAround' | 'onPick'>) {
  return (
    <div class="logs-fields">
      <div class="row">
        <span class="soft small mono cut grow">{line.nanos} ns</span>
        <Button small onClick={onAround}>
          Around it
        </Button>
        <Copy text={line.text} label="Copy the line" />
      </div>
      <ul aria-label="Labels and fields">
        {fieldsOf(line).map(({ kind, name, value }) => {
          const of = kind === 'label' ? 'stream' : 'field'
          const can = canFilter(name) && value !== ''
          return (
            <li key={`${kind} ${name}`}>
              <span class="cut" title={`${name} (${KINDS[kind]})`}>
                {name} <span class="soft small">{kind === 'label' ? '' : KINDS[kind]}</span>
              </span>
              <button type="button" class="mono cut" disabled={!can} title={`only lines with ${name}=${value}`} onClick={() => onPick(name, value, of, false)}>
                {value}
              </button>
              <button type="button" class="button small quiet" disabled={!can} aria-label={`not ${name}=${value}`} title="only lines without it" onClick={() => onPick(name, value, of, true)}>
                not
              </button>
            </li>
          )
        })}
      </ul>
    </div>
  )
}
