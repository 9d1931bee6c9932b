// CONTRIBUTING.md and SECURITY.md: what they tell to run is there to be run, and what they point at exists.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (name) => readFileSync(join(root, name), 'utf8')
const { scripts } = JSON.parse(read('package.json'))
const { error, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'test.mjs'), 'none'], { encoding: 'utf8' })
assert.equal(error, undefined)
const suites = /there are (.+)$/m.exec(stderr)[1].split(', ')
const contributing = read('CONTRIBUTING.md')

test('the table of suites has each of them', () => {
  const rows = contributing.split('\n').filter((line) => line.startsWith('| `'))
  assert.deepEqual(rows.flatMap((row) => [...row.split('|')[1].matchAll(/`([\w-]+)`/g)].map(([, name]) => name)).sort(), suites.toSorted())
})

for (const name of ['CONTRIBUTING.md', 'SECURITY.md']) {
  const text = read(name)
  const code = [...text.matchAll(/`([^`\n]+)`/g), ...text.matchAll(/^ *((?:npm|cargo|node|sha256sum|gh) .+)$/gm)].map(([, inside]) => inside)

  test(`${name}: its commands are there`, () => {
    const commands = code.flatMap((inside) => inside.split(' && ')).map((inside) => inside.replace(/^[A-Z_]+=\S+ /, ''))
    for (const command of commands) {
      const [, script] = /^npm run ([\w:-]+)/.exec(command) ?? []
      if (script) assert.ok(Object.hasOwn(scripts, script), command)
      for (const suite of /^npm test -- (.+)$/.exec(command)?.[1].split(' ') ?? []) assert.ok(suites.includes(suite), command)
      const [, file] = /^node (?:--test )?(\S+)/.exec(command) ?? []
      if (file) assert.ok(existsSync(join(root, file)), command)
      const [, target] = /^cargo test --test (\w+)/.exec(command) ?? []
      if (target) assert.ok(existsSync(join(root, 'tests', `${target}.rs`)), command)
    }
    assert.ok(name === 'SECURITY.md' || commands.filter((command) => command.startsWith('npm ')).length > 15)
  })

  test(`${name}: what it points at exists`, () => {
    const links = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link).filter((link) => !link.startsWith('http'))
    const paths = code.filter((inside) => /^[\w.-]+\/[\w./-]*$/.test(inside) && !/^(dist|\.cache)\//.test(inside))
    for (const path of [...links, ...paths]) assert.ok(existsSync(join(root, path)), path)
  })
}
