// Where ttn-auth-headers lets credentials go, and what of a URL could lead them elsewhere.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { assertRefused, server, withHeaders } from './attached.mjs'

const flow = withHeaders()

/** Deploys ours alone, with these hosts, and a network that is elsewhere. */
const allow = (hosts, config, settings) =>
  flow.serve({ hosts, ...settings }, { to: 'out', config: { httpAddress: 'https://handler.example:8094', grpcAddress: 'grpcs://handler.example:1904', ...config } })
const key = () => flow.sandbox.accessKey

async function accepted(...urls) {
  for (const url of urls) {
    const { out, caught } = await flow.send({ url })
    assert.ok(out, `${url}: ${caught?.error.message}`)
    assert.equal((out.headers?.authorization ?? `Key ${out.metadata.key}`), `Key ${key()}`)
    assert.equal(out.url, url, 'it is left as it is')
  }
}

async function refused(code, message, ...urls) {
  for (const url of urls) assertRefused(await flow.send({ url, headers: { authorization: 'old' } }), code, message, key(), 'old')
}

test('the network\'s own host, with its port, and no other', async () => {
  await allow('')
  await accepted('https://handler.example:8094/', 'https://handler.example:8094/a?b=c#d', 'https://handler.example:8094')
  await refused('AUTH_INVALID_ARGUMENT', /is no host/, 'https://handler.example/', 'https://handler.example:8095/', 'https://evil.example:8094/', 'https://x.handler.example:8094/', 'https://handler.example.evil:8094/')
  // The help of the network says that TLS is used without a scheme.
  await allow('', { httpAddress: 'Handler.Example' })
  await accepted('https://handler.example/', 'https://handler.example:443/')
  await refused('AUTH_INVALID_ARGUMENT', /./, 'https://handler.example:8094/')
})

test('the host that discovery finds, if no address is entered', async () => {
  const { sandbox } = flow
  const config = { httpAddress: '', grpcAddress: '', discovery: sandbox.discovery, ca: sandbox.ca }
  await allow('', config)
  await accepted(`${sandbox.httpsAddress}/x`)
  await refused('AUTH_INVALID_ARGUMENT', /is no host/, 'https://evil.example/', sandbox.discovery.replace('grpc', 'http'), flow.device)
  await allow('', config, { target: 'metadata' })
  await accepted(sandbox.grpcsAddress)
  await refused('AUTH_INVALID_ARGUMENT', /is no host/, sandbox.discovery)
})

test('hosts that are entered, with a port or with the scheme\'s own', async () => {
  process.env.TTN_HOSTS_HERE = 'third.example, fourth.example:81'
  await allow('good.example, Other.Example:8094 https://pasted.example:1/;[0:0::1]:9,bücher.example,${TTN_HOSTS_HERE}')
  delete process.env.TTN_HOSTS_HERE
  await accepted(
    'https://good.example/', 'https://good.example:443/', 'https://GOOD.example/', 'https://other.example:8094/', 'https://pasted.example:1/x', 'http://[::1]:9/',
    'https://bücher.example/', 'https://xn--bcher-kva.example/', 'https://third.example', 'https://fourth.example:81/', 'https://handler.example:8094/',
    'https://g%6Fod.example/', 'https://good.example/%', 'https://good.example/a b?c=d e', 'https://good.example/?at=me@evil.example',
  )
  await refused(
    'AUTH_INVALID_ARGUMENT', /is no host/, 'https://good.example:8094/', 'https://other.example/', 'https://evil.example/', 'https://www.good.example/',
    'https://good.example.evil.example/', 'https://fourth.example/', 'https://[::1]/', 'https://pasted.example/', 'https://bucher.example/',
    // Another name to certificates and to whoever reads the list.
    'https://good.example./',
    // Looks like an o, and is none.
    'https://g\u043eod.example/', 'https://other.example:08095/',
    'https://evil.example/https://good.example/', 'https://evil.example?good.example', 'https://evil.example#good.example', 'https://evil.example#@good.example/',
  )
})

for (const [what, message, ...urls] of [
  ['a user or a password', /user or a password/, 'https://me@good.example/', 'https://me:hunter2@good.example/', 'https://good.example@evil.example/', 'https://good.example:443@evil.example/', 'https://@good.example/', 'https://a@b@good.example/'],
  ['a backslash', /begins with http/, 'https://good.example\\@evil.example/', 'https://evil.example\\@good.example/', 'https:\\\\good.example/', 'https://good.example/a\\b', 'https:/\\good.example/'],
  ['tabs, line breaks and other control characters', /begins with http/, 'https://go\tod.example/', 'https://good.example/\nHost: evil.example', 'ht\ntps://good.example/', '\thttps://good.example/', 'https://good.example\0.evil.example/', 'https://good.example/\x7f', ' https://good.example/', 'https://good.example\r\n@evil.example/'],
  ['letter case that http request reads as a host', /begins with http/, 'HTTPS://good.example/', 'Https://good.example/', 'hTTp:\\evil.example'],
  ['anything but http and https', /begins with http/, 'ftp://good.example/', 'good.example', 'good.example:443', '//good.example/', 'https:good.example', 'https:/good.example', 'https:///good.example/', 'https://', 'https://?good.example', 'grpcs://good.example:443', 'javascript:alert(1)', 'unix:/run/x', 'data:,x', '/x'],
  ['a host that is none', /begins with http/, 'https://good.example:99999/', 'https://good example/', 'https://[::1', 'https://%/', 'https://a:b/'],
  ['a template', /\{\{/, 'https://good.example/{{id}}', 'https://{{host}}/', '{{url}}', '{{{url}}}'],
  ['no text', /must be text/, 7, true, {}, ['https://good.example/'], { toString: () => 'https://good.example/' }],
  ['nothing', /no msg.url/, undefined, null, ''],
]) {
  test(`a URL is refused with ${what}`, async () => {
    await allow('good.example')
    await accepted('https://good.example/')
    await refused('AUTH_INVALID_ARGUMENT', message, ...urls)
  })
}

test('what is let through is what http request calls', async (t) => {
  const [good, evil] = [await server(t), await server(t)]
  await flow.serve({ hosts: good.host })
  for (const url of [`${good.url}a b?c=100%&d#e`, `${good.url}?at=@${evil.host}`, `${good.url}//${evil.host}/`, `http://${good.host}#@${evil.host}/`, `http://${good.host}?@${evil.host}/`]) {
    const { out, caught } = await flow.send({ url })
    assert.equal(out?.statusCode, 200, `${url}: ${caught?.error.message}`)
  }
  assert.deepEqual([good.seen.length, evil.seen.length], [5, 0])
})

test('plaintext goes to this machine only, unless the network allows it', async () => {
  await allow('good.example, 192.0.2.1:8084, 127.0.0.1:8084, localhost:8084')
  await accepted('http://127.0.0.1:8084/', 'http://localhost:8084/', 'http://127.1:8084/', 'http://0x7f.1:8084/')
  await refused('AUTH_INSECURE_TRANSPORT', /plaintext/, 'http://good.example/', 'http://192.0.2.1:8084/', 'http://3221225985:8084/')
  await allow('good.example', { allowInsecure: true })
  await accepted('http://good.example/', 'http://good.example:80/')
  await refused('AUTH_INVALID_ARGUMENT', /./, 'http://evil.example/', 'http://good.example:443/')
  // The port is the network's, the way there is not.
  await allow('')
  await refused('AUTH_INSECURE_TRANSPORT', /plaintext/, 'http://handler.example:8094/')
})

test('hosts that are none are refused by name', async () => {
  for (const host of ['*', '*.example', 'good.example/path', 'me@good.example', 'https://me:hunter2@good.example', 'a\\b', 'good.example:99999', 'good.example:x', ':443', 'a?b', '{host}', 'https://']) {
    assert.deepEqual((await allow(`good.example ${host}`)).text, 'ttn.problem-short.host-form', host)
    await refused('AUTH_INVALID_ARGUMENT', /which is none/, 'https://good.example/', 'https://handler.example:8094/')
  }
})

test('a network without an address leaves the hosts that are entered', async () => {
  assert.deepEqual(await allow('good.example', { httpAddress: '' }), {})
  await accepted('https://good.example/')
  await refused('AUTH_INVALID_ARGUMENT', /evil.example/, 'https://evil.example/')
  assert.equal((await allow('', { httpAddress: '' })).text, 'ttn.problem-short.http-address-missing')
  await refused('AUTH_INVALID_ARGUMENT', /no HTTP address/, 'https://good.example/')
})

test('for metadata msg.url may be missing; what is there is checked', async () => {
  await allow('good.example:1905, other.example', {}, { target: 'metadata' })
  await accepted(
    undefined, null, '', 'grpcs://handler.example:1904', 'grpcs://handler.example', 'handler.example:1904', 'grpcs://good.example:1905', 'good.example:1905',
    'grpcs://other.example', 'GOOD.example:1905',
  )
  await refused('AUTH_INVALID_ARGUMENT', /is no host/, 'grpcs://evil.example:1904', 'evil.example:1904', 'grpcs://handler.example:443', 'handler.example:1905', 'grpcs://good.example', 'handler.example.:1904')
  await refused(
    'AUTH_INVALID_ARGUMENT', /msg.url must|not valid/, 'handler.example', 'https://handler.example:1904', 'grpcs://me@handler.example:1904', 'handler.example:1904@evil.example:1904',
    'grpcs://handler.example:1904/x', 'grpcs://handler.example:1904?x', 'evil.example\\handler.example:1904', 'dns:///handler.example:1904', ' handler.example:1904', 'handler\t.example:1904',
    'handler.example:1904#', '{{host}}:1904', 'handler.example:99999', 'grpcs://', ':1904', 7, {}, 'unix:/run/x:1',
  )
  await refused('AUTH_INSECURE_TRANSPORT', /plaintext/, 'grpc://handler.example:1904')
  await allow('', { allowInsecure: true }, { target: 'metadata' })
  await accepted('grpc://handler.example:1904')
  assert.deepEqual(await allow('', { grpcAddress: '' }, { target: 'metadata' }), {}, 'no address is needed')
  await accepted(undefined)
  await refused('AUTH_INVALID_ARGUMENT', /no gRPC address/, 'grpcs://handler.example:1904')
})
