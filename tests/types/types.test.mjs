// The types compile as users compile them, refuse wrong use, and are those that the addon's source says.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const require = createRequire(import.meta.url)
const tsc = join(require.resolve('typescript/package.json'), '..', 'bin', 'tsc')
const here = join(root, 'tests', 'types')

function compile(name, compilerOptions, files) {
  const folder = join(root, '.cache', 'types', name)
  mkdirSync(folder, { recursive: true })
  const shared = { strict: true, skipLibCheck: false, noEmit: true, types: ['node'], target: 'es2022' }
  const lib = ['es2022', 'esnext.disposable']
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...shared, lib, ...compilerOptions }, files }))
  const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8', cwd: root })
  rmSync(folder, { recursive: true })
  return { stdout, status }
}

/** The other ways of TypeScript, with the installed package: tests/package. */
const NODE16 = { module: 'node16', moduleResolution: 'node16' }

test('right use compiles, wrong use is refused', () => {
  const files = ['usage.mts', 'guard.mts', 'stack.mts', 'require.cts'].map((name) => join(here, name))
  assert.deepEqual(compile('node16', NODE16, files), { stdout: '', status: 0 })
})

// TypeScript 7 takes no @types by itself: what the types need they must ask for, or it is `any` where libraries are not checked.
for (const skipLibCheck of [false, true]) {
  test(`a project without types and with lib es2022 only, skipLibCheck ${skipLibCheck}: nothing becomes any`, () => {
    const options = { ...NODE16, types: undefined, lib: ['es2022'], skipLibCheck }
    assert.deepEqual(compile(`plain-${skipLibCheck}`, options, [join(here, 'plain.mts')]), { stdout: '', status: 0 })
  })
}

test('the adapters, with the types of what they are for', () => {
  // What these libraries' own types leave out is theirs.
  assert.deepEqual(compile('adapters', { ...NODE16, skipLibCheck: true }, [join(here, 'adapters.mts')]), { stdout: '', status: 0 })
})

test('the types of the adapter for Connect are the same for ESM and CommonJS, as those of Connect are', () => {
  const text = (name) => readFileSync(join(root, 'node', 'adapters', name), 'utf8')
  assert.equal(text('connect.d.mts'), text('connect.d.ts'))
})

test('what the types and the adapters need is asked for, not imposed', () => {
  const { peerDependencies, peerDependenciesMeta } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const names = ['@bufbuild/protobuf', '@connectrpc/connect', '@grpc/grpc-js', '@types/node']
  assert.deepEqual([Object.keys(peerDependencies), peerDependenciesMeta], [names, Object.fromEntries(names.map((name) => [name, { optional: true }]))])
})

for (const name of ['usage.mts', 'guard.mts', 'stack.mts', 'adapters.mts']) {
  test(`every wrong line of ${name} is refused for a reason of its own`, () => {
    const text = readFileSync(join(here, name), 'utf8')
    const expected = text.match(/^ *\/\/ @ts-expect-error/gm).length
    const bare = join(root, '.cache', 'types', `bare-${name}`)
    mkdirSync(join(root, '.cache', 'types'), { recursive: true })
    writeFileSync(bare, text.replaceAll('@ts-expect-error', ''))
    const { stdout } = compile('bare', { ...NODE16, skipLibCheck: name === 'adapters.mts' }, [bare])
    rmSync(bare)
    assert.equal(stdout.match(/error TS\d+/g).length, expected, stdout)
  })
}

test('the types need no framework', () => {
  const imported = [...readFileSync(join(root, 'index.d.ts'), 'utf8').matchAll(/from '([^']+)'/g)].map(([, name]) => name)
  assert.deepEqual(imported, ['node:http'])
  const { dependencies = {}, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const name of ['express', 'fastify']) assert.ok(!(name in dependencies || name in peerDependencies), name)
  assert.deepEqual(dependencies, {})
})

test('no type is any, and object only where every object is right', () => {
  const types = readFileSync(join(root, 'index.d.ts'), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')
  const vague = types.split('\n').filter((line) => /[:|<(] *(any|object|Function|unknown)\b/.test(line))
  assert.deepEqual(vague.map((line) => line.trim()).sort(), [
    '[field: string]: unknown',
    'body?: string | ArrayBufferLike | ArrayBufferView | object',
    'cause?: unknown',
    "export type BulkResult<R> = { status: 'fulfilled'; value: R } | { status: 'rejected'; reason: unknown }",
    'readonly cause?: unknown',
    'stream(request: HttpRequest): AsyncGenerator<unknown, void, undefined>',
  ])
})

test('index.d.ts is what the addon’s source generates', () => {
  const out = join(root, '.cache', 'types', 'generated')
  mkdirSync(out, { recursive: true })
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'node', 'build.mjs'), '--out', out], { cwd: root, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  const generated = readFileSync(join(out, 'index.d.ts'), 'utf8')
  rmSync(out, { recursive: true })
  assert.equal(readFileSync(join(root, 'index.d.ts'), 'utf8'), generated, 'run npm run build:debug and commit index.d.ts')
})
