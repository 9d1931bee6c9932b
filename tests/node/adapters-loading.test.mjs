// An adapter and its library are loaded when they are used, and not before.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What of these is loaded after this code, in a process of its own. */
function loaded(code) {
  const show = `
    const files = Object.keys(require.cache).map((file) => file.replaceAll('\\\\', '/'))
    const names = ['node/adapters/', '@grpc/grpc-js/', '@connectrpc/connect/', '@bufbuild/protobuf/', 'node_modules/undici']
    console.log(JSON.stringify(names.filter((name) => files.some((file) => file.includes(name)))))`
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', code + show], { cwd: root, encoding: 'utf8' })
  return JSON.parse(stdout || `"${stderr}"`)
}

const credentials = "require('@thingskey/ttn-auth').Credentials.parse('ttn-account-v2.x')"

test('the package alone loads no adapter, and an adapter no library', () => {
  assert.deepEqual(loaded("require('@thingskey/ttn-auth');"), [])
  for (const name of ['connect', 'grpc-js', 'undici']) assert.deepEqual(loaded(`require('@thingskey/ttn-auth/${name}');`), ['node/adapters/'])
})

test('a library is loaded by its adapter alone', () => {
  assert.deepEqual(loaded(`require('@thingskey/ttn-auth').authFetch(${credentials});`), ['node/adapters/'])
  assert.deepEqual(loaded(`require('@thingskey/ttn-auth/undici').interceptor({ address: 'https://h', credentials: ${credentials} });`), ['node/adapters/'])
  assert.deepEqual(loaded(`require('@thingskey/ttn-auth/grpc-js').callCredentials(${credentials});`), ['node/adapters/', '@grpc/grpc-js/'])
  const transport = `require('@thingskey/ttn-auth/connect').createTransport({ address: 'grpcs://h:1' });`
  assert.deepEqual(loaded(transport), ['node/adapters/', '@connectrpc/connect/', '@bufbuild/protobuf/'])
})
