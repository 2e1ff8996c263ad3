// Mounts the pages.
import { render } from 'preact'
import { Shell } from './shell/Shell'
import './style/index.css'

const place = document.getElementById('app')
if (place) render(<Shell />, place)
