// Node-RED's folder for `npm start`: one process at a time, and what is known of it from the last time.
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const LOCK = 'npm-start.pid'
const WIRED = 'sandbox.json'

/** A new folder under the system's temporary one, removed when this process ends in whatever way but a kill. */
export function temporary() {
  const folder = mkdtempSync(join(tmpdir(), 'ttn-auth-'))
  // At the very end, when Node-RED writes nothing more.
  process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}

/**
 * Takes the folder for this process until it ends.
 * @returns {number | undefined} the process that has it, if it is another's
 */
export function lock(folder) {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, LOCK)
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' })
      process.on('exit', () => rmSync(path, { force: true }))
      return undefined
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const holder = read(path)
    if (holder !== undefined && isRunning(Number(holder))) return Number(holder)
    takeAway(path, holder)
  }
}

/** Removes a lock that nobody holds any more; one that another process took in the meantime is put back. */
function takeAway(path, stale) {
  const aside = `${path}.${process.pid}`
  try {
    renameSync(path, aside)
  } catch (error) {
    // Another process was faster.
    if (error.code === 'ENOENT') return
    throw error
  }
  if (read(aside) === stale) rmSync(aside, { force: true })
  else renameSync(aside, path)
}

/** Whether a process lives. This one's number in a lock is left from one before it, as in a container that restarts. */
function isRunning(pid) {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It may be another user's.
    return error.code === 'EPERM'
  }
}

/** A file's text, or undefined if there is no such file. */
function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * The flow of the last time; undefined if there was none. One that cannot be read is an error: what someone made must
 * not be replaced by the example.
 */
export function keptFlow(folder) {
  const path = join(folder, 'flows.json')
  const text = read(path)
  if (text === undefined) return undefined
  let flow
  try {
    flow = JSON.parse(text.replace(/^\ufeff/, ''))
  } catch (error) {
    throw new Error(`${path} is not valid JSON (${error.message}). Correct it, or move it away to start with the example.`)
  }
  if (!Array.isArray(flow)) throw new Error(`${path} is not a Node-RED flow. Move it away to start with the example.`)
  return flow.some((node) => node?.type !== 'tab') ? flow : undefined
}

/**
 * Where the sandboxes of the last times were: the flow's networks with these addresses are theirs.
 * @returns {object[]} the newest first, as `placesOf` has them
 */
export function wiredBefore(folder) {
  try {
    const wired = JSON.parse(read(join(folder, WIRED)) ?? '[]')
    return Array.isArray(wired) ? wired : []
  } catch {
    // Without it no network is taken for a sandbox's, which harms none.
    return []
  }
}

/**
 * Notes where the sandbox is that the flow will be wired to. Before it is: two are kept, so that a start that breaks off
 * before the flow is stored does not lose the one that the flow still names.
 */
export function noteWired(folder, places, before) {
  mkdirSync(folder, { recursive: true })
  const wired = [places, ...before].slice(0, 2)
  writeFileSync(join(folder, WIRED), `${JSON.stringify(wired, null, 2)}\n`)
}
