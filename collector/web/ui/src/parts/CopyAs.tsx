// What is shown as something that can be given to others: a command, a question to the API, a link whose time stays.
import { search } from '../url/link'
import { here } from '../url/location'
import { rangeSearch } from '../url/range'
import { copyText } from './Copy'
import { Icon } from './Icon'
import { Entry, Menu } from './Menu'
import { say } from './toast'

export interface CopyAsProps {
  /** What it is of, where there are several. */
  readonly name?: string
  readonly time: { readonly from: number; readonly to: number }
  /** Title and text. */
  readonly texts: readonly (readonly [string, string])[]
}

export function CopyAs({ name = 'Copy', time, texts }: CopyAsProps) {
  const link = (): string => {
    const params = { ...Object.fromEntries(here.value.search), ...rangeSearch({ kind: 'span', ...time }) }
    return window.location.origin + here.value.path + search(params)
  }
  const all = [...texts, ['link, its time stays', link()] as const]
  return (
    <Menu small kind="quiet" name={name} button={<Icon sign="copy" />}>
      {(close) => (
        <div class="list">
          {all.map(([title, text]) => (
            <Entry
              key={title}
              title={text}
              onClick={() => {
                close()
                void copyText(text).then((done) => say(done ? `Copied: ${text}` : text))
              }}
            >
              Copy as {title}
            </Entry>
          ))}
        </div>
      )}
    </Menu>
  )
}
