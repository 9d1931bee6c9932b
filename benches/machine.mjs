// The machine that is measured on: who runs where, and how it is described.
import { spawnSync } from 'node:child_process'
import { availableParallelism, cpus, release, type } from 'node:os'

const cores = availableParallelism()

/** Whether processes can be told where to run. */
const pins = cores > 1 && spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0

/**
 * The server has the last core to itself, and each client all the others: with all its threads, whatever it has. Who needs no server
 * has the machine.
 */
const SERVER = `${cores - 1}`
const CLIENT = `0-${cores - 2}`

const pinned = (where) => (command, args) => (pins ? ['taskset', ['-c', where, command, ...args]] : [command, args])

export const asServer = pinned(SERVER)
export const asClient = pinned(CLIENT)

/** One line for what is written of a run. */
export function describe(node) {
  const version = (command, args) => spawnSync(command, args, { encoding: 'utf8' }).stdout.trim()
  const rust = version('rustc', ['--version']).split(' ').slice(0, 2).join(' ')
  const where = pins ? `the server on core ${SERVER}, each client on ${CLIENT.replace(/^0-0$/, '0')}, who needs no server on all` : 'no process bound to a core'
  return `${cpus()[0].model.trim()}, ${cores} cores, ${type()} ${release()}, Node.js ${version(node, ['--version'])}, ${rust}; ${where}`
}
