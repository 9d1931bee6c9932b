// A client of @grpc/grpc-js of your own: its refused tokens are replaced, and its rate limits waited for, as our client does.
//   TTN_ADDRESS=grpcs://eu1.cloud.thethings.network:8884 TTN_SECRET=NNSXS... node examples/node/grpc-js.mjs app1
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'

import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { Credentials } from '@thingskey/ttn-auth'
import { interceptor } from '@thingskey/ttn-auth/grpc-js'

const { TTN_ADDRESS: address, TTN_SECRET: secret, TTN_CA: ca } = process.env
const [application_id = 'app1'] = process.argv.slice(2)

const proto = loadSync('stack.proto', { includeDirs: [fileURLToPath(new URL('proto', import.meta.url))], keepCase: true })
const { ApplicationRegistry } = grpc.loadPackageDefinition(proto).ttn.lorawan.v3

const [, scheme, host] = /^(grpcs?):\/\/(.*)$/.exec(address)
// Over plaintext it sends credentials to this machine only.
const channel = scheme === 'grpcs' ? grpc.credentials.createSsl(ca && Buffer.from(ca)) : grpc.credentials.createInsecure()
const registry = new ApplicationRegistry(host, channel, { interceptors: [interceptor(Credentials.parse(secret))] })

const get = promisify(registry.Get).bind(registry)
try {
  const application = await get({ application_ids: { application_id }, field_mask: { paths: ['name'] } })
  console.log(application.ids.application_id, application.name)
} catch (error) {
  // grpc-js's own error; what it means is its cause.
  console.error(grpc.status[error.code], error.cause.code, error.cause.hint)
  process.exitCode = 1
}
registry.close()
