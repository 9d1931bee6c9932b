// A real npm registry (verdaccio) on loopback, which can be told to fail, and what npm needs to publish to it.
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { cachedPackage } from '../../scripts/cached-package.mjs'

const USER = { name: 'publisher', password: 'only-on-loopback' }

export async function startRegistry() {
  // 6.8 is the last that runs on Node 20; the node-fetch that it asks for cannot be installed.
  const folder = cachedPackage('verdaccio', '6.8.0', { args: ['--omit=optional'], overrides: { 'node-fetch': '2.7.0' } })
  const { runServer } = createRequire(import.meta.url)(folder)
  const home = mkdtempSync(join(tmpdir(), 'ttn-registry-'))
  const verdaccio = await runServer({
    configPath: join(home, 'config.yaml'),
    storage: join(home, 'storage'),
    auth: { htpasswd: { file: join(home, 'htpasswd') } },
    packages: { '**': { access: '$all', publish: '$authenticated' } },
    max_body_size: '200mb',
    web: { enable: false },
    log: { type: 'stdout', level: 'fatal' },
  })
  /** What was published, in that order; what is in `failing` is refused. */
  const [puts, failing] = [[], new Set()]
  const server = createServer((request, response) => {
    if (request.method === 'PUT' && !request.url.startsWith('/-/')) {
      const name = decodeURIComponent(request.url.slice(1))
      puts.push(name)
      if (failing.has(name)) {
        response.writeHead(500).end()
        return
      }
    }
    verdaccio.emit('request', request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${server.address().port}/`

  const answer = await fetch(`${url}-/user/org.couchdb.user:${USER.name}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(USER),
  })
  const { token } = await answer.json()
  const npmrc = join(home, 'npmrc')
  // No answer is waited for a second time: npm would try a refused publication again.
  writeFileSync(npmrc, `registry=${url}\n${url.slice('http:'.length)}:_authToken=${token}\nfetch-retries=0\n`)

  return {
    env: { npm_config_userconfig: npmrc, npm_config_cache: join(home, 'cache'), npm_config_registry: url },
    puts,
    failing,
    stop() {
      server.close()
      server.closeAllConnections()
      rmSync(home, { recursive: true, force: true })
    },
  }
}
