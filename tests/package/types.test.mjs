// The types of the installed package, as TypeScript finds them in each of its ways: today's, and one that still has the old ways.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'

import { cachedPackage } from '../../scripts/cached-package.mjs'
import { root } from '../../scripts/prepare.mjs'
import { NAME, copyInstalled, packed } from './packed.mjs'

const require = createRequire(import.meta.url)

// Within the repository, whose types of Node.js and of frameworks it shares.
mkdirSync(join(root, '.cache'), { recursive: true })
const project = realpathSync(mkdtempSync(join(root, '.cache', 'typed-')))
after(() => rmSync(project, { recursive: true, force: true }))
const declared = join(project, 'node_modules', NAME, 'index.d.ts')

const [USAGE, GUARD, REQUIRE, ADAPTERS] = ['usage.mts', 'guard.mts', 'require.cts', 'adapters.mts']
before(async () => {
  copyInstalled((await packed()).project, project)
  for (const name of [USAGE, GUARD, REQUIRE, ADAPTERS]) copyFileSync(join(root, 'tests', 'types', name), join(project, name))
})

/** Compiles, and checks that the installed types are the ones that were read. */
function compiles(typescript, options, files) {
  const shared = { strict: true, noEmit: true, types: ['node'], target: 'es2022', lib: ['es2022', 'esnext.disposable'], listFiles: true }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...shared, ...options }, files }))
  const { stdout, status } = spawnSync(process.execPath, [join(typescript, 'bin', 'tsc'), '-p', project], { cwd: project, encoding: 'utf8' })
  const problems = stdout.split('\n').filter((line) => line.includes('error TS'))
  assert.deepEqual([status, problems], [0, []])
  const read = stdout.split('\n').filter((line) => line.endsWith('/index.d.ts') && readFileSync(line, 'utf8').includes('export declare class Client'))
  assert.deepEqual(read, [declared])
}

const NODE16 = { module: 'node16', moduleResolution: 'node16' }
const NODENEXT = { module: 'nodenext', moduleResolution: 'nodenext' }
const BUNDLER = { module: 'esnext', moduleResolution: 'bundler' }
// It looks into no node_modules, whatever is in there: that is why it needs the path, and why Node.js's types lack some of theirs.
const CLASSIC = { module: 'esnext', moduleResolution: 'classic', paths: { [NAME]: [`./node_modules/${NAME}/index.d.ts`] } }

const newest = dirname(require.resolve('typescript/package.json'))
for (const [name, options, files] of [
  ['node16', NODE16, [USAGE, GUARD, REQUIRE]],
  ['nodenext', NODENEXT, [USAGE, GUARD, REQUIRE]],
  ['bundler', BUNDLER, [USAGE, GUARD]],
]) {
  test(`TypeScript 7, ${name}`, () => compiles(newest, options, files))
  // What the libraries' own types leave out is theirs.
  test(`TypeScript 7, ${name}: the adapters`, () => compiles(newest, { ...options, skipLibCheck: true }, [ADAPTERS]))
}

const OLD = '5.9.3'
for (const [name, options, files] of [
  ['node16', { ...NODE16, skipLibCheck: false }, [USAGE, REQUIRE]],
  ['bundler', { ...BUNDLER, skipLibCheck: true }, [USAGE]],
  ['node10', { module: 'esnext', moduleResolution: 'node10', esModuleInterop: true, skipLibCheck: true }, [USAGE]],
  ['node10 and CommonJS', { module: 'commonjs', moduleResolution: 'node10', skipLibCheck: true }, [REQUIRE]],
  ['classic', { ...CLASSIC, esModuleInterop: true, skipLibCheck: true }, [USAGE]],
]) {
  test(`TypeScript ${OLD}, ${name}`, () => compiles(cachedPackage('typescript', OLD), options, files))
}
