// Tokens from a place of your own: here another program that knows who is signed in. It is asked when a token is needed,
// not for each call.
//   TTN_ADDRESS=http://127.0.0.1:8084 TTN_LOGIN='my-login-helper print-token' node examples/node/token-source.mjs
import { exec } from 'node:child_process'
import { channel } from 'node:diagnostics_channel'
import { promisify } from 'node:util'

import { Client, TokenSource } from '@thingskey/ttn-auth'

const { TTN_ADDRESS: address, TTN_CA: ca, TTN_LOGIN: command } = process.env

const source = TokenSource.callback(async () => {
  const { stdout } = await promisify(exec)(command, { timeout: 5000 })
  // How long it is good for is read from the token; `{ token, expiresIn }` (seconds) where that cannot be.
  return stdout.trim()
})
channel('ttn-auth:refresh').subscribe(({ outcome, durationMs }) => console.log(`a token: ${outcome}`, durationMs < 5000))

const client = new Client({ address, ca, tokenSource: source })
try {
  for (const dev_id of ['dev-1', 'dev-1', 'dev-1']) {
    const { lorawan_device } = await client.getDevice({ app_id: 'test-app', dev_id })
    console.log(dev_id, lorawan_device.dev_eui)
  }
  // The same token for another library.
  const { authorization } = await source.headers()
  console.log(authorization.split(' ')[0])
} catch (error) {
  // What the function threw is the cause.
  console.error(error.code, error.cause?.message.split('\n')[0] ?? error.message)
  process.exitCode = 1
} finally {
  client.close()
}
