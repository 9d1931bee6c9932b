// `npm run release:github -- TAG [FOLDER]`: the release on GitHub, with all of dist/release, or of a folder. It is a draft until everything
// is uploaded, and a second run goes on where the first one ended. Needs `gh`.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { root } from '../prepare.mjs'
import { NOTES } from './files.mjs'

const [tag, folder = join(root, 'dist', 'release')] = process.argv.slice(2)

function gh(args, { mayFail = false } = {}) {
  const { status, stdout, stderr, error } = spawnSync('gh', args, { cwd: root, encoding: 'utf8' })
  if (error) throw new Error(`gh: ${error.message}`)
  if (status !== 0 && !mayFail) throw new Error(`gh ${args.slice(0, 2).join(' ')}: ${stderr.trim()}`)
  return status === 0 ? stdout : undefined
}

try {
  if (!/^v\d+\.\d+\.\d+/.test(tag ?? '')) throw new Error('usage: npm run release:github -- v1.2.3')
  const notes = resolve(folder, NOTES)
  if (!existsSync(notes)) throw new Error(`${notes} is not there: npm run release:files`)
  const files = readdirSync(folder).filter((name) => name !== NOTES).map((name) => resolve(folder, name))
  if (gh(['release', 'view', tag], { mayFail: true }) === undefined) {
    const kind = tag.includes('-') ? ['--prerelease'] : []
    gh(['release', 'create', tag, '--verify-tag', '--draft', '--title', tag, '--notes-file', notes, ...kind])
  }
  gh(['release', 'upload', tag, '--clobber', ...files])
  gh(['release', 'edit', tag, '--draft=false'])
  console.log(`${tag} is released with ${files.length} files`)
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
