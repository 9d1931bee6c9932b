// A wrong addon under the right name is not packed.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

import { checkAddon } from '../../scripts/addon-file.mjs'
import { pack, targets } from '../../scripts/pack.mjs'

const folder = mkdtempSync(join(tmpdir(), 'ttn-addons-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** A file with these numbers at these places, and this text at its end. */
function file({ at, size = 256, text = '' }) {
  const bytes = Buffer.alloc(size)
  for (const [place, value] of Object.entries(at)) bytes.writeUInt32LE(value, Number(place))
  const path = join(folder, 'ttn-auth.node')
  writeFileSync(path, Buffer.concat([bytes, Buffer.from(text)]))
  return path
}
const elf = (machine, text = '\0libc.so.6\0') => ({ at: { 0: 0x464c457f, 16: (machine << 16) | 3 }, text })
const machO = (cpu) => ({ at: { 0: 0xfeedfacf, 4: cpu } })
const pe = (machine) => ({ at: { 0: 0x5a4d, 0x3c: 128, 128: 0x4550, 132: machine } })

const MUSL = '\0libc.so\0'
const GOOD = {
  'linux-x64-gnu': elf(62),
  'linux-x64-musl': elf(62, MUSL),
  'linux-arm64-gnu': elf(183),
  'linux-arm64-musl': elf(183, MUSL),
  'linux-arm-gnueabihf': elf(40),
  'darwin-x64': machO(0x01000007),
  'darwin-arm64': machO(0x0100000c),
  'win32-x64-msvc': pe(0x8664),
}

test('each platform takes its own file, and no other’s', () => {
  assert.deepEqual(Object.keys(GOOD), targets.map(({ platform }) => platform))
  for (const [made, shape] of Object.entries(GOOD)) {
    for (const { platform } of targets) {
      const check = () => checkAddon(file(shape), platform)
      if (platform === made) check()
      else assert.throws(check, /is for (linux|darwin|win32)-(x64|arm64|arm)$|is linked with (glibc|musl)$/, `${made} as ${platform}`)
    }
  }
})

test('what is no addon at all', () => {
  const cut = [0x464c457f, 0xfeedfacf, 0x5a4d].map((magic) => ({ at: { 0: magic }, size: 4 }))
  const pointer = { at: {}, size: 0, text: 'version https://git-lfs.github.com/spec/v1' }
  for (const shape of [...cut, pointer, { at: {} }, elf(243), { at: { 0: 0x5a4d, 0x3c: 0x7fffffff } }]) {
    for (const { platform } of targets) assert.throws(() => checkAddon(file(shape), platform), /is for /)
  }
})

test('one for debugging, or for a newer glibc than the oldest that is supported, only for tests', () => {
  for (const [shape, problem] of [
    [{ ...elf(62), size: 25 * 2 ** 20 }, /was not built for release/],
    [elf(62, '\0libc.so.6\0GLIBC_2.4\0GLIBC_2.34\0'), /needs glibc 2\.34/],
  ]) {
    assert.throws(() => checkAddon(file(shape), 'linux-x64-gnu'), problem)
    checkAddon(file(shape), 'linux-x64-gnu', { debug: true })
  }
  checkAddon(file(elf(62, '\0libc.so.6\0GLIBC_2.28\0')), 'linux-x64-gnu')
})

test('pack() refuses the folder, and makes nothing', async () => {
  const [addons, out] = ['addons', 'out'].map((name) => join(folder, name))
  mkdirSync(addons)
  await assert.rejects(pack({ addons, out }), /has no addons: npm run build:cross/)
  await assert.rejects(pack({ addons: join(folder, 'missing'), out }), /has no addons/)
  writeFileSync(join(addons, 'ttn-auth.linux-x64-gnu.node'), 'junk')
  await assert.rejects(pack({ addons, out }), /is for /)
  writeFileSync(join(addons, 'ttn-auth.linux-mips.node'), 'junk')
  await assert.rejects(pack({ addons, out }), /ttn-auth\.linux-mips\.node, of no target/)
  assert.deepEqual(readdirSync(folder).filter((name) => name === 'out'), [])
})
