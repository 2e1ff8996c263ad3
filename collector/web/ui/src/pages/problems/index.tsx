export default function Problems() {
  return <p>...</p>
}
