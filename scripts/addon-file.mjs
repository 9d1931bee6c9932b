// What an addon's file says of itself: a wrong one under the right name would be noticed by users only.
import { readFileSync } from 'node:fs'

import { GLIBC } from './cross/platforms.mjs'

/** Built for release they have 10 MB, for debugging 60. */
const LARGEST = 24 * 2 ** 20

const ELF = { 40: 'arm', 62: 'x64', 183: 'arm64' }
const MACH_O = { 0x01000007: 'x64', 0x0100000c: 'arm64' }
const PE = { 0x8664: 'x64', 0xaa64: 'arm64' }

/** The system and processor of a file: `linux-arm64`; undefined for what is none of them. */
function machine(bytes) {
  const view = bytes.subarray(0, 4096)
  if (bytes.length < 64) return undefined
  if (view.readUInt32BE(0) === 0x7f454c46) return `linux-${ELF[view.readUInt16LE(18)]}`
  if (view.readUInt32LE(0) === 0xfeedfacf) return `darwin-${MACH_O[view.readUInt32LE(4)]}`
  const header = view.readUInt16BE(0) === 0x4d5a ? view.readUInt32LE(0x3c) : view.length
  if (header + 6 <= view.length && view.readUInt32BE(header) === 0x50450000) return `win32-${PE[view.readUInt16LE(header + 4)]}`
  return undefined
}

/** Of a Linux addon: which libc it asks the loader for. */
const libcOf = (bytes) => (bytes.includes('\0libc.so.6\0') ? 'gnu' : 'musl')

/** The newest glibc that it has symbols of: 28 for 2.28. */
function newestGlibc(bytes) {
  const versions = bytes.toString('latin1').matchAll(/\0GLIBC_2\.(\d+)/g)
  return Math.max(0, ...[...versions].map(([, minor]) => Number(minor)))
}

/**
 * Throws an error if the file is not an addon of that platform, built for release.
 * @param {string} file
 * @param {string} platform  `linux-x64-gnu`
 * @param {object} [options]
 * @param {boolean} [options.debug]  also takes one that was built for this machine only
 */
export function checkAddon(file, platform, { debug = false } = {}) {
  const bytes = readFileSync(file)
  const seen = machine(bytes) ?? 'no system that we know'
  if (seen !== platform.split('-').slice(0, 2).join('-')) throw new Error(`${file} is for ${seen}`)
  const [system, , abi] = platform.split('-')
  const libc = system === 'linux' ? libcOf(bytes) : undefined
  if (libc && !abi.startsWith(libc)) throw new Error(`${file} is linked with ${libc === 'gnu' ? 'glibc' : 'musl'}`)
  if (debug) return
  if (bytes.length > LARGEST) throw new Error(`${file} has ${bytes.length} bytes, so it was not built for release`)
  const glibc = libc === 'gnu' ? newestGlibc(bytes) : 0
  if (glibc > Number(GLIBC.slice('2.'.length))) throw new Error(`${file} needs glibc 2.${glibc}: npm run build:cross builds for ${GLIBC}`)
}
