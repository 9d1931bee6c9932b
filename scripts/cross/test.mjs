// `npm run test:cross [platform ...]`: the packages with the addons of dist/addons, installed on a machine of each platform, without a network and
// without a compiler, where they then read a device with both credentials over both transports.
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

import { install, root } from '../prepare.mjs'
import { Machine } from './machine.mjs'
import { chosen, platforms } from './platforms.mjs'

// It needs npm packages, which a fresh clone has not.
install()
const { pack, targets } = await import('../pack.mjs')

const CALLS = join(root, 'tests', 'package', 'four-calls.cjs')

function test(name, packages) {
  const addon = packages.find(({ platform }) => platform === name)
  if (!addon) throw new Error(`there is no addon in dist/addons: npm run build:cross -- ${name}`)
  const machine = new Machine(name)
  const work = join(machine.folder, 'work')
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work)
  writeFileSync(join(work, 'package.json'), '{ "private": true }\n')
  const files = [packages.find(({ platform }) => !platform), addon].map(({ file }) => file)
  for (const file of [...files, CALLS]) copyFileSync(file, join(work, basename(file)))
  const npm = ['/opt/npm/bin/npm-cli.js', 'install', '--prefix', '/work', '--no-audit', '--no-fund', '--loglevel', 'error']
  machine.run([...npm, '--offline', '--ignore-scripts', ...files.map((file) => `/work/${basename(file)}`)])
  const answer = JSON.parse(machine.run([`/work/${basename(CALLS)}`], { network: true }))
  // qemu or a chroot could be passed by: Node.js itself says what it is.
  const { arch } = targets.find(({ platform }) => platform === name)
  if (!answer.ok || answer.arch !== arch || answer.package !== addon.version) throw new Error(JSON.stringify(answer))
  return { addon, ...answer }
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`

function row(name, { addon, node, arch, calls }) {
  const { emulator, libc } = platforms[name]
  const machine = `Node.js ${node} ${arch}, ${libc === 'musl' ? 'musl' : 'glibc'}${emulator ? `, ${emulator}` : ''}`
  const made = calls.map(({ transport, credential }) => `${credential} over ${transport}: ok`).join(', ')
  return `${name.padEnd(20)} package ${megabytes(addon.size)}, installed ${megabytes(addon.unpackedSize)} | ${machine} | ${made}`
}

let passed = 0
let failed = 0
try {
  const names = chosen(process.argv.slice(2))
  const packages = await pack()
  for (const name of names) {
    try {
      console.log(row(name, test(name, packages)))
      passed += 1
    } catch (error) {
      console.log(`FAILED: ${name}: ${error.message}`)
      failed += 1
    }
  }
} catch (error) {
  console.error(`test:cross: ${error.message}`)
  failed += 1
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
