// Where the secret comes from: the node, an environment variable, a file. Each kind of credential, over both transports.
import assert from 'node:assert/strict'
import { mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'node:test'

import { CREDENTIALS, TRANSPORTS, flow, folder, helper, load, network, secretOf, send, shows, statuses, withSandbox } from './support.mjs'

const sandbox = withSandbox()
const NAME = 'TTN_TEST_SECRET'

/** Sets the variable in this process until the test ends. */
function set(t, value) {
  process.env[NAME] = value
  t.after(() => delete process.env[NAME])
}

/** A network whose secret is in the variable. */
const fromVariable = (more) => network(sandbox(), { source: 'environment', variable: NAME, ...more })

/** A file with this text, and the network whose secret is in it. */
function fromFile(t, text, more) {
  const file = join(folder(t), 'secret')
  if (text !== undefined) writeFileSync(file, text)
  return { file, settings: network(sandbox(), { source: 'file', file, ...more }) }
}

for (const kind of CREDENTIALS) {
  for (const transport of TRANSPORTS) {
    test(`${kind} in a variable, over ${transport}`, async (t) => {
      // As `TTN_KEY="$(cat file)"` and an .env file with Windows line ends leave it.
      set(t, `${secretOf(sandbox(), kind)}\r\n`)
      await load(flow({ transport }, fromVariable({ kind })))
      assert.equal((await send()).out?.payload.dev_id, 'dev-1')
    })

    test(`${kind} in a file, over ${transport}`, async (t) => {
      const { settings } = fromFile(t, `${secretOf(sandbox(), kind)}\n`, { kind })
      await load(flow({ transport }, settings))
      assert.equal((await send()).out?.payload.dev_id, 'dev-1')
    })

    test(`${kind} in a file that is replaced while the flow runs, over ${transport}`, async (t) => {
      const first = kind === 'access-key' ? sandbox().addAccessKey(sandbox().appId, ['devices']) : sandbox().mintToken()
      const { file, settings } = fromFile(t, first, { kind })
      await load(flow({ transport }, settings))
      assert.ok((await send()).out)
      // As a secret manager does it: written beside, renamed over.
      writeFileSync(`${file}.new`, secretOf(sandbox(), kind))
      renameSync(`${file}.new`, file)
      if (kind === 'access-key') {
        sandbox().removeAccessKey(first)
        await sandbox().reloadKeys()
      } else {
        sandbox().revoke(first)
      }
      assert.ok((await send()).out, 'the next call has the new secret: the old one is refused, and the file read again')
    })
  }
}

test('what is stored in the node is not used when the secret comes from elsewhere', async (t) => {
  set(t, 'ttn-account-v2.wrong')
  await load(flow({}, fromVariable()), sandbox().accessKey)
  assert.equal((await send()).caught?.error.code, 'AUTH_INVALID_KEY')
})

test('a flow without the new settings has its secret in the node, and leaves the exchange to the server', async () => {
  const before = sandbox().exchanges
  const { id, type, kind, appId, grpcAddress, httpAddress } = network(sandbox())
  await load(flow({}, { id, type, kind, appId, grpcAddress, httpAddress }), sandbox().accessKey)
  assert.ok((await send()).out)
  // The Handler may remember it from another test.
  assert.ok(sandbox().exchanges - before <= 1)
})

test('an unset variable is named at once, and nothing is sent until it is set', async (t) => {
  for (const value of [undefined, '', '  \n']) {
    if (value !== undefined) set(t, value)
    await load(flow({}, fromVariable()), sandbox().accessKey)
    assert.deepEqual(statuses().at(-1), { fill: 'red', shape: 'ring', text: 'ttn.problem.variable' })
    const { caught } = await send()
    assert.equal(caught.error.code, 'AUTH_MISSING_CREDENTIALS')
    await assert.rejects(helper.getNode('network').network.client('grpc'), { key: 'variable', values: { name: NAME } })
    await helper.unload()
  }
  await load(flow({}, fromVariable()))
  set(t, sandbox().accessKey)
  assert.ok((await send()).out, 'without a deployment')
})

test("a variable's name that is none is refused, and not repeated: it may be the secret", async () => {
  for (const [variable, text] of [
    ['', 'variable-missing'],
    [sandbox().accessKey, 'variable-name'],
    [sandbox().bearerToken, 'variable-name'],
    ['TTN KEY', 'variable-name'],
    ['TTN_KEY=abc', 'variable-name'],
  ]) {
    await load(flow({}, fromVariable({ variable })))
    assert.equal(statuses().at(-1).text, `ttn.problem-short.${text}`)
    const { error } = (await send()).caught
    assert.equal(error.code, 'AUTH_INVALID_ARGUMENT')
    if (variable) assert.ok(!JSON.stringify(error).includes(variable))
    await helper.unload()
  }
})

test('${NAME} where a name belongs gives away nothing', async (t) => {
  // Node-RED puts the secret itself in its place.
  set(t, sandbox().accessKey)
  await load(flow({}, fromVariable({ variable: `\${${NAME}}` })))
  assert.equal(statuses().at(-1).text, 'ttn.problem-short.variable-name')
  assert.ok(!JSON.stringify(await send()).includes(sandbox().accessKey))
})

test("a variable of the node's flow comes before that of the process", async (t) => {
  set(t, 'ttn-account-v2.wrong')
  const nodes = flow({}, fromVariable({ z: 'tab' }))
  nodes[0].env = [{ name: NAME, type: 'str', value: sandbox().accessKey }]
  await load(nodes)
  assert.ok((await send()).out)
})

test('each instance of a subflow has its own secret', async (t) => {
  set(t, 'ttn-account-v2.wrong')
  const all = flow({}, network(sandbox()))
  const request = all.find(({ id }) => id === 'request')
  const instance = (id, value) => ({
    id, type: 'subflow:sub', z: 'tab', x: 1, y: 1, name: '', env: value ? [{ name: NAME, type: 'str', value }] : [], wires: [['out']],
  })
  await load([
    ...all,
    { id: 'sub', type: 'subflow', name: 'sub', in: [{ wires: [{ id: 'inner' }] }], out: [{ wires: [{ id: 'inner', port: 0 }] }], env: [] },
    { ...fromVariable({ z: 'sub' }), id: 'inner-network' },
    { ...request, id: 'inner', z: 'sub', network: 'inner-network', wires: [] },
    instance('with-key', sandbox().accessKey),
    instance('without'),
  ])
  assert.ok((await send({}, 'with-key')).out)
  assert.equal((await send({}, 'without')).caught?.error.code, 'AUTH_INVALID_KEY')
})

const missing = [
  ['no path', { file: '' }, 'AUTH_INVALID_ARGUMENT', 'ttn.problem-short.file-missing'],
  ['an unset variable as path', { file: '${TTN_NOT_SET}' }, 'AUTH_INVALID_ARGUMENT', 'ttn.problem.variable'],
  ['no such file', { file: '/no/such/file' }, 'AUTH_INVALID_ARGUMENT', 'ttn.status.file'],
  ['a folder', { file: '/' }, 'AUTH_INVALID_ARGUMENT', 'ttn.status.file'],
]
for (const [what, settings, code, text] of missing) {
  test(`a file: ${what}`, async () => {
    await load(flow({}, network(sandbox(), { source: 'file', ...settings })))
    assert.equal((await send()).caught?.error.code, code)
    await shows(text)
  })
}

test('a file that is empty or holds another kind is an error, until it is a good one', async (t) => {
  const { file, settings } = fromFile(t, '')
  await load(flow({}, settings))
  for (const text of ['', '\n', sandbox().bearerToken]) {
    // Another file, so that nothing is known of it yet.
    unlinkSync(file)
    writeFileSync(file, text)
    await helper.setFlows(flow({}, { ...settings, name: `with ${text.length}` }), 'full')
    const { error } = (await send()).caught
    assert.equal(error.code, 'AUTH_INVALID_CREDENTIALS')
    await shows('ttn.status.file')
    assert.ok(!JSON.stringify(error).includes(sandbox().bearerToken))
  }
  writeFileSync(file, sandbox().accessKey)
  await helper.setFlows(flow({}, { ...settings, name: 'good' }), 'full')
  assert.ok((await send()).out)
})

test('a file behind symbolic links, as Kubernetes mounts secrets', async (t) => {
  const { file, settings } = fromFile(t)
  const at = (name, secret) => {
    mkdirSync(join(file, '..', name))
    writeFileSync(join(file, '..', name, 'key'), secret)
  }
  const old = sandbox().addAccessKey(sandbox().appId, ['devices'])
  at('1', old)
  symlinkSync('1', join(file, '..', 'data'))
  symlinkSync(join('data', 'key'), file)
  await load(flow({}, settings))
  assert.ok((await send()).out)
  at('2', sandbox().accessKey)
  symlinkSync('2', join(file, '..', 'next'))
  renameSync(join(file, '..', 'next'), join(file, '..', 'data'))
  sandbox().removeAccessKey(old)
  await sandbox().reloadKeys()
  assert.ok((await send()).out)
})

test("a relative path begins where Node-RED's file nodes begin", async (t) => {
  const { file, settings } = fromFile(t, sandbox().accessKey)
  t.after(() => helper.settings({ fileWorkingDirectory: undefined }))
  helper.settings({ fileWorkingDirectory: join(file, '..') })
  await load(flow({}, { ...settings, file: 'secret' }))
  assert.ok((await send()).out)
  helper.settings({ fileWorkingDirectory: undefined })
  await helper.unload()
  await load(flow({}, { ...settings, file: relative(process.cwd(), file) }))
  assert.ok((await send()).out)
})
