// The keys of the page that is shown.
import { Dialog } from '../parts/Dialog'
import { keys } from '../parts/keys'

export function Help({ onClose }: { readonly onClose: () => void }) {
  const seen = new Map([...keys.value].map((key) => [key.key, key.does]))
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {[...seen].map(([key, does]) => [
          <dt key={key}>
            {key.split(/ |\+/).map((one) => (
              <kbd key={one}>{one}</kbd>
            ))}
          </dt>,
          <dd key={`${key} does`}>{does}</dd>,
        ])}
      </dl>
    </Dialog>
  )
}
