/** The entry of the post step: most runs leave nothing to it, and then the action itself is not even loaded. */
import { isAnythingLeft } from './state.ts'

if (isAnythingLeft(process.env)) await import(new URL('../dist/index.js', import.meta.url).href)
