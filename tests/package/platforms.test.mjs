// Every platform that is promised is built and tried somewhere: those of Linux by scripts/cross, the others by the release workflow.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { chosen, platforms } from '../../scripts/cross/platforms.mjs'
import { targets } from '../../scripts/pack.mjs'
import { root } from '../../scripts/prepare.mjs'

const linux = targets.filter(({ system }) => system === 'linux')

test('build:cross builds for all of Linux, under the names that npm packages have', () => {
  const expected = linux.map(({ platform, triple }) => [platform, triple])
  assert.deepEqual(Object.entries(platforms).map(([platform, { triple }]) => [platform, triple]).sort(), expected.sort())
})

test('each is tried on its own libc, and on an emulated processor unless it is the builder’s', () => {
  for (const { platform, arch, abi } of linux) {
    const { libc, emulator, debian } = platforms[platform]
    assert.equal(libc, abi === 'musl' ? 'musl' : 'gnu', platform)
    assert.equal(debian, { x64: 'amd64', arm64: 'arm64', arm: 'armhf' }[arch], platform)
    assert.equal(emulator, { arm64: 'qemu-aarch64-static', arm: 'qemu-arm-static' }[arch], platform)
  }
})

test('the release workflow builds all others', () => {
  const text = readFileSync(join(root, '.github', 'workflows', 'release.yml'), 'utf8')
  const built = [...text.matchAll(/^ +- platform: (\S+)$/gm)].map(([, platform]) => platform)
  assert.deepEqual(built.sort(), targets.filter(({ system }) => system !== 'linux').map(({ platform }) => platform).sort())
})

test('the README names each platform, and says which are not tried here', () => {
  const [, table] = /^## Install\n([^]*?)^## /m.exec(readFileSync(join(root, 'README.md'), 'utf8'))
  for (const row of ['Linux x64, glibc 2.28', 'Linux x64, musl', 'Linux arm64, glibc 2.28', 'Linux arm64, musl', 'Linux armv7, glibc 2.28']) {
    assert.ok(table.includes(`| ${row}`), row)
  }
  assert.match(table, /^\| macOS x64 and arm64, Windows x64 \|.*release workflow only/m)
})

test('a platform that is not one is named, with those that are', () => {
  assert.deepEqual(chosen([]), Object.keys(platforms))
  assert.throws(() => chosen(['linux-x64-musl', 'amiga']), /^Error: no platform amiga; there are linux-x64-gnu, /)
})
