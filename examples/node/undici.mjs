// An agent of undici that sends credentials to one server, and to no other that a redirect may lead to.
//   TTN_ADDRESS=http://127.0.0.1:8084 TTN_SECRET=ttn-account-v2.full-test-app node examples/node/undici.mjs
import { Credentials } from '@thingskey/ttn-auth'
import { interceptor } from '@thingskey/ttn-auth/undici'

const { TTN_ADDRESS: address, TTN_SECRET: secret } = process.env
// Yours is 'undici'.
const { Agent, interceptors, request } = await import(process.env.UNDICI ?? 'undici')

const agent = new Agent().compose(
  interceptor({ address, credentials: Credentials.parse(secret) }),
  interceptors.redirect({ maxRedirections: 3 }),
)
const { statusCode, body } = await request(`${address}/applications/test-app/devices/dev-1`, { dispatcher: agent })
console.log(statusCode, await body.json())
await agent.close()
