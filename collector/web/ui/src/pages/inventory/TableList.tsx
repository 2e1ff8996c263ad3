// The tables that can be asked, with their columns: a click puts a name into the question.
import type { TableShape } from '../../api/inventory'
import { Icon, Section, toggled } from '../../parts'
import { param } from '../../url/query'
import { columnsOf, countedOf, isCounted } from './sql'

const opened = param('open')

export function TableList({ shapes, onInsert }: { readonly shapes: readonly TableShape[]; readonly onInsert: (word: string) => void }) {
  const open = new Set(opened.value.split(',').filter(Boolean))
  return (
    <Section title="Tables" note={shapes.length}>
      <ul class="inside table-names" aria-label="Tables">
        {shapes.map((shape) => {
          const isOpen = open.has(shape.table)
          return (
            <li key={shape.table}>
              <button type="button" class="group" aria-expanded={isOpen} onClick={() => (opened.value = [...toggled(open, shape.table)].join(','))}>
                <Icon sign={isOpen ? 'down' : 'right'} size={12} />
                <span class="mono small cut">{shape.table}</span>
                <span class="small soft">{shape.columns.length}</span>
              </button>
              {isOpen && (
                <ul>
                  {[shape.table, ...(isCounted(shape) ? [countedOf(shape.table)] : [])].map((name) => (
                    <Word key={name} word={name} note={name === shape.table ? 'table' : 'rows with the number of hosts'} onInsert={onInsert} />
                  ))}
                  {columnsOf(shape).map(({ name, kind }) => (
                    <Word key={name} word={name} note={kind} onInsert={onInsert} />
                  ))}
                </ul>
              )}
            </li>
          )
        })}
      </ul>
    </Section>
  )
}

function Word({ word, note, onInsert }: { readonly word: string; readonly note: string; readonly onInsert: (word: string) => void }) {
  return (
    <li>
      <button type="button" title={`Put ${word} into the question`} onClick={() => onInsert(word)}>
        <span class="mono small">{word}</span> <span class="small soft">{note}</span>
      </button>
    </li>
  )
}
