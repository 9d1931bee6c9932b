// The tests of the Redis store start a redis-server of their own. A CI machine is Debian, as root, without one.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const has = (name) => (process.env.PATH ?? '').split(delimiter).some((folder) => folder && existsSync(join(folder, name)))

/** Installs redis-server where that can be done. Where it cannot, the tests say what is missing. */
export function installRedis() {
  if (has('redis-server') || process.getuid?.() !== 0 || !has('apt-get')) return
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  // RUNLEVEL=1: the package does not start a service of its own, on the port that everybody expects.
  for (const args of [['update', '-q'], ['install', '-y', '-q', '--no-install-recommends', 'redis-server']]) {
    console.error(`> apt-get ${args.join(' ')}`)
    spawnSync('apt-get', args, { stdio: 'inherit', env: { ...env, RUNLEVEL: '1' } })
  }
}

if (import.meta.filename === process.argv[1]) installRedis()
