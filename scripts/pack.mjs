// `npm run pack`: what is published, as files: the package, and for each addon that was built the package of its platform.
// `node scripts/pack.mjs [--addons FOLDER] [--out FOLDER]`. Nothing in the repository is changed: copies are packed.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { parseTriple } from '@napi-rs/cli'

import { checkAddon } from './addon-file.mjs'
import { notices } from './notices.mjs'
import { root } from './prepare.mjs'

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** What addons are built for: `platform` is `linux-x64-gnu`, as addons and packages are named, and `system` is `linux`. */
export const targets = manifest.napi.targets.map((triple) => {
  const { platformArchABI: platform, platform: system, arch, abi } = parseTriple(triple)
  return { triple, platform, system, arch, abi }
})

const addonOf = (platform) => `${manifest.napi.binaryName}.${platform}.node`
const packageOf = (platform) => `${manifest.name}-${platform}`

/**
 * Packs the package, and one for each addon in a folder.
 * @param {object} [options]
 * @param {string} [options.addons]  the folder
 * @param {string} [options.out]  where to; made if it is not there
 * @param {boolean} [options.debug]  takes addons, too, that were built for this machine only, as tests do
 * @returns {Promise<{ name: string, version: string, file: string, size: number, unpackedSize: number, files: string[], platform?: string }[]>}
 *   the package first; sizes in bytes
 */
export async function pack({ addons = join(root, 'dist', 'addons'), out = join(root, 'dist', 'packages'), debug = false } = {}) {
  const found = addonsIn(addons)
  for (const { platform } of found) checkAddon(join(addons, addonOf(platform)), platform, { debug })
  const stage = mkdtempSync(join(tmpdir(), 'ttn-pack-'))
  try {
    const folders = [stageRoot(join(stage, 'root')), ...found.map((target) => stagePlatform(join(stage, target.platform), target, addons))]
    mkdirSync(out, { recursive: true })
    return npmPack(['--pack-destination', resolve(out), ...folders]).map(({ name, version, filename, size, unpackedSize, files }, at) => ({
      name,
      version,
      file: join(resolve(out), filename),
      size,
      unpackedSize,
      files: files.map(({ path }) => path).sort(),
      ...(at > 0 && { platform: found[at - 1].platform }),
    }))
  } finally {
    rmSync(stage, { recursive: true, force: true })
  }
}

/** The targets that there are addons for. What belongs to none is a mistake that would go unnoticed. */
function addonsIn(folder) {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.node')) : []
  if (names.length === 0) throw new Error(`${folder} has no addons: npm run build:cross makes them`)
  const foreign = names.filter((name) => !targets.some(({ platform }) => name === addonOf(platform)))
  if (foreign.length > 0) throw new Error(`${folder} has ${foreign.join(', ')}, of no target in package.json`)
  return targets.filter(({ platform }) => names.includes(addonOf(platform)))
}

/** The package's own files, and its package.json without what is of use in the repository only. */
function stageRoot(folder) {
  const [{ files }] = npmPack(['--dry-run'])
  for (const { path } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    cpSync(join(root, path), join(folder, path))
  }
  const { devDependencies, scripts, napi, ...published } = manifest
  // Not in the repository: before a release they do not exist, and npm would look for them.
  const optionalDependencies = Object.fromEntries(targets.map(({ platform }) => [packageOf(platform), manifest.version]))
  writeManifest(folder, { ...published, optionalDependencies })
  return folder
}

/** Our own in place of `napi create-npm-dirs`, which gives gnueabihf no libc: npm would install it beside musl. */
function stagePlatform(folder, { triple, platform, arch, abi, system }, addons) {
  const { version, license, author, repository, homepage, bugs, engines } = manifest
  writeManifest(folder, {
    name: packageOf(platform),
    version,
    description: `The addon of ${manifest.name} for ${platform}`,
    ...{ license, author, repository, homepage, bugs, engines },
    os: [system],
    cpu: [arch],
    ...(system === 'linux' && { libc: [abi.startsWith('musl') ? 'musl' : 'glibc'] }),
    type: 'commonjs',
    main: addonOf(platform),
    files: [addonOf(platform), 'THIRD-PARTY-NOTICES'],
  })
  cpSync(join(addons, addonOf(platform)), join(folder, addonOf(platform)))
  chmodSync(join(folder, addonOf(platform)), 0o644)
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  writeFileSync(join(folder, 'THIRD-PARTY-NOTICES'), notices(triple))
  writeFileSync(join(folder, 'README.md'), readme(platform))
  return folder
}

const home = manifest.repository.replace('github:', 'https://github.com/')

const readme = (platform) => `# ${packageOf(platform)}

This is the addon of [${manifest.name}](${home}) for ${platform}. Do not install it by
itself: npm installs it with ${manifest.name} where it is needed.
`

function writeManifest(folder, content) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(content, null, 2)}\n`)
}

function npmPack(args) {
  const shell = process.platform === 'win32'
  // Within npm run --silent npm would not say why it failed.
  const all = ['pack', '--json', '--ignore-scripts', '--loglevel=error', ...args]
  const { status, stdout, stderr, error } = spawnSync('npm', all, { cwd: root, shell, encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) throw new Error(`npm pack: ${stderr}`)
  return JSON.parse(stdout)
}

async function main() {
  const { values } = parseArgs({ options: { addons: { type: 'string' }, out: { type: 'string' } } })
  for (const { file, size, unpackedSize } of await pack(values)) {
    console.log(`${file.replace(root, '.')}: ${size} bytes packed, ${unpackedSize} unpacked`)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    console.error(`npm run pack: ${error.message}`)
    process.exitCode = 1
  })
}
