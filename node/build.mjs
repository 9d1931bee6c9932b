// Builds the addon and its types: `npm run build`. `node node/build.mjs [--release] [--out FOLDER]`.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({ options: { release: { type: 'boolean' }, out: { type: 'string' } } })
const out = values.out === undefined ? join(root, 'node') : resolve(values.out)
const types = values.out === undefined ? join(root, 'index.d.ts') : join(out, 'index.d.ts')

/** Classes that only their static functions make: napi writes them as if `new` worked, which throws. */
const WITHOUT_NEW = ['AuthCall', 'Credentials', 'Sandbox', 'SandboxStack', 'TokenSource']

/** Classes that only index.js meets. */
const INTERNAL = ['Reader']

// napi takes the types' path from the folder of the addon.
const napi = join(dirname(createRequire(import.meta.url).resolve('@napi-rs/cli/package.json')), 'dist', 'cli.js')
const args = ['build', '--platform', '--no-js', '--manifest-path', 'node/Cargo.toml', '--output-dir', out, '--dts', relative(out, types)]
if (values.release) args.push('--release')
const { error, status } = spawnSync(process.execPath, [napi, ...args], { cwd: root, stdio: 'inherit' })
if (error) throw error
if (status !== 0) process.exit(status ?? 1)

// napi takes one file; that of The Things Stack is another.
let text = readFileSync(types, 'utf8') + readFileSync(join(root, 'node', 'types-stack.d.ts'), 'utf8')
for (const name of WITHOUT_NEW) {
  const opening = `export declare class ${name} {\n`
  if (!text.includes(opening)) throw new Error(`${types} has no class ${name}`)
  text = text.replace(opening, `${opening}  private constructor()\n`)
}
for (const name of INTERNAL) {
  const declared = new RegExp(`/\\*\\* .* \\*/\nexport declare class ${name} \\{\\}\n\n`)
  if (!declared.test(text)) throw new Error(`${types} has no class ${name} without methods`)
  text = text.replace(declared, '')
}
writeFileSync(types, text)
