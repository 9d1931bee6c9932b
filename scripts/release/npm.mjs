// `npm run release:npm -- [--dry-run] [--provenance] [FOLDER]`: publishes the packages in dist/release, or in a folder, to npm. What is
// there already is passed over, so that after a failure half way the same command finishes the work.
import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { root } from '../prepare.mjs'
import { readPackages } from './packages.mjs'

/** The oldest npm that publishes as a trusted publisher, without a token. */
const TRUSTED = [11, 5, 1]

/**
 * @param {string} folder
 * @param {object} [options]
 * @param {boolean} [options.dryRun]  everything but the publishing
 * @param {boolean} [options.provenance]  signed by the workflow that this runs in
 */
export async function publish(folder, { dryRun = false, provenance = false } = {}) {
  const packages = readPackages(folder)
  if (provenance) needTrusted()
  const registry = npm(['config', 'get', 'registry']).trim()
  // All are asked for before the first is published.
  const published = await Promise.all(packages.map(({ name, version }) => publishedIntegrity(registry, name, version)))
  const differs = packages.find(({ integrity }, at) => published[at] && published[at] !== integrity)
  // Packages of two builds must not be mixed.
  if (differs) throw new Error(`${differs.name}@${differs.version} is there already with other contents. Run again only what failed, with the same files, or release a new version`)
  for (const [at, { name, version, file }] of packages.entries()) {
    if (published[at]) {
      console.log(`${name}@${version} is there already`)
      continue
    }
    // A version like 1.0.0-rc.1 is for those who ask for it.
    const tag = version.includes('-') ? 'next' : 'latest'
    const options = ['--access', 'public', '--tag', tag, '--ignore-scripts', ...(provenance ? ['--provenance'] : []), ...(dryRun ? ['--dry-run'] : [])]
    npm(['publish', file, ...options])
    console.log(`${name}@${version} ${dryRun ? 'can be' : 'is'} published as ${tag}`)
  }
}

/** What is published under that name and version; undefined if nothing is. */
async function publishedIntegrity(registry, name, version) {
  const url = new URL(name.replace('/', '%2f'), registry.replace(/\/*$/, '/'))
  const answer = await fetch(url, { signal: AbortSignal.timeout(30_000) })
  if (answer.status === 404) return undefined
  if (!answer.ok) throw new Error(`The registry answers ${answer.status} to a question about ${name}`)
  return (await answer.json()).versions?.[version]?.dist.integrity
}

function needTrusted() {
  const version = npm(['--version']).trim()
  const at = version.split('.').map(Number)
  const newer = TRUSTED.findIndex((part, n) => at[n] !== part)
  if (newer !== -1 && at[newer] < TRUSTED[newer]) throw new Error(`npm ${version} cannot publish without a token; ${TRUSTED.join('.')} or newer can`)
  if (!process.env.ACTIONS_ID_TOKEN_REQUEST_URL) throw new Error('--provenance needs a GitHub workflow with `id-token: write`')
}

/** Its output, or an error with what it said. */
function npm(args) {
  // Within `npm run --silent` it would not say why it failed.
  const { status, stdout, stderr, error } = spawnSync('npm', [...args, '--loglevel=warn'], { encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) throw new Error(`npm ${args.slice(0, 2).join(' ')}: ${stderr.trim()}`)
  return stdout
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({ options: { 'dry-run': { type: 'boolean' }, provenance: { type: 'boolean' } }, allowPositionals: true })
  try {
    await publish(resolve(positionals[0] ?? join(root, 'dist', 'release')), { dryRun: values['dry-run'], provenance: values.provenance })
  } catch (error) {
    console.error(error.cause ? `${error.message}: ${error.cause.message}` : error.message)
    process.exitCode = 1
  }
}
