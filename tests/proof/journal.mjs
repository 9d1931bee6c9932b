// What a sandbox was told, from its append-only journal: one line of JSON for each (sandbox/src/journal.rs).
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A journal by this name. It holds the sandbox's own keys, and so is no evidence. */
export function openJournal(t, name) {
  const folder = join(t.folder, 'journals')
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${t.number}-${name.replaceAll(/\W+/g, '-')}.jsonl`)
  const entries = () => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)) : [])
  return {
    path,
    /** How often each thing was done, by what identifies it. What a sandbox begins with does not count. */
    counts(what, identify) {
      const counts = new Map()
      for (const entry of entries()) {
        if (!(what in entry)) continue
        const id = identify(entry[what])
        counts.set(id, (counts.get(id) ?? 0) + 1)
      }
      return counts
    },
  }
}
