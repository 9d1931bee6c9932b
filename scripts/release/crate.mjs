// `npm run release:crate [-- OPTIONS]`: cargo publish for the core, to which the options go. If this version is there already, that is fine.
import { spawnSync } from 'node:child_process'

import { root } from '../prepare.mjs'

const args = ['publish', '-p', 'ttn-auth', '--locked', ...process.argv.slice(2)]
const { status, stderr, error } = spawnSync('cargo', args, { cwd: root, stdio: ['ignore', 'inherit', 'pipe'], encoding: 'utf8' })
if (error) throw error
process.stderr.write(stderr)
// cargo looks before it builds, so a second run of the workflow costs nothing.
const there = /crate (ttn-auth@\S+) already exists/.exec(stderr)?.[1]
if (there) console.log(`${there} is there already`)
process.exitCode = status === 0 || there ? 0 : 1
