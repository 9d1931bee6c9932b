// What the tests share: a sandbox, its four addresses, its two credentials, and how an error must look.
import assert from 'node:assert/strict'
import { after, before } from 'node:test'

import { AuthError, Client, Credentials, Sandbox } from '../../node/index.js'

export const SCHEMES = ['grpc', 'grpcs', 'http', 'https']
export const KINDS = ['access-key', 'bearer-token']

/** A sandbox for the tests of a file; call what is returned to get it. */
export function withSandbox(ready = () => {}) {
  let sandbox
  before(async () => {
    sandbox = await Sandbox.start({ rateLimit: false })
    ready(sandbox)
  })
  after(() => sandbox.stop())
  return () => sandbox
}

export const credentialsOf = (sandbox, kind) =>
  kind === 'access-key' ? Credentials.accessKey(sandbox.accessKey) : Credentials.bearerToken(sandbox.bearerToken)

/** A client of the sandbox. */
export function connect(sandbox, scheme, options = {}) {
  const credentials = 'credentials' in options ? options.credentials : credentialsOf(sandbox, 'access-key')
  const ca = scheme.endsWith('s') ? sandbox.ca : undefined
  return new Client({ address: sandbox[`${scheme}Address`], ca, ...options, credentials })
}

/** The call rejects with this code, and with nothing secret in it. */
export async function rejects(promise, code, { secret, check } = {}) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof AuthError, String(error))
    assert.equal(error.code, code, error.message)
    assert.equal(error.kind, code.replace('AUTH_', '').toLowerCase().replaceAll('_', '-'))
    assert.ok(error.hint)
    if (secret) assert.ok(!`${error.stack}${JSON.stringify(error)}${error.cause?.stack}`.includes(secret))
    check?.(error)
    return true
  })
}
