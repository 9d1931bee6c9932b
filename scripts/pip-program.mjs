// Programs that PyPI has as wheels: installed under .cache when they are first used, by their hashes.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { root } from './prepare.mjs'

/**
 * Where the executable is.
 * @param {string} program  its name, for which scripts/NAME.txt has the version and the hashes, for pip
 */
export function pipProgram(program) {
  const pinned = join(root, 'scripts', `${program}.txt`)
  // A folder for each pin: an older one is not taken for it.
  const folder = join(root, '.cache', `${program}-${createHash('sha256').update(readFileSync(pinned)).digest('hex').slice(0, 8)}`)
  const executable = join(folder, 'bin', process.platform === 'win32' ? `${program}.exe` : program)
  if (existsSync(executable)) return executable
  const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--root-user-action=ignore']
  args.push('--no-deps', '--only-binary', ':all:', '--require-hashes', '--target', folder, '--requirement', pinned)
  const python = process.platform === 'win32' ? 'python' : 'python3'
  console.error(`> ${python} ${args.join(' ').replaceAll(root, '.')}`)
  const { status, error } = spawnSync(python, args, { stdio: ['ignore', 2, 2] })
  if (error || status !== 0 || !existsSync(executable)) {
    throw new Error(`${program} could not be installed. It needs Python 3 with pip${error ? ` (${error.message})` : ''}`)
  }
  return executable
}
