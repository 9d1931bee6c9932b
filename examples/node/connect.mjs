// Clients that protoc-gen-es generated for Connect: on our native channel, or on a transport of Connect's own.
//   TTN_ADDRESS=grpcs://eu1.cloud.thethings.network:8884 TTN_SECRET=NNSXS... node examples/node/connect.mjs app1
import { createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { Credentials } from '@thingskey/ttn-auth'
import { createTransport, interceptor } from '@thingskey/ttn-auth/connect'

import { ApplicationRegistry } from './proto/stack_pb.mjs'

const { TTN_ADDRESS: address, TTN_SECRET: secret, TTN_CA: ca } = process.env
const [applicationId = 'app1'] = process.argv.slice(2)
const credentials = Credentials.parse(secret)

const ours = createTransport({ address, ca, credentials })
const theirs = createGrpcTransport({ baseUrl: address.replace('grpc', 'http'), nodeOptions: { ca }, interceptors: [interceptor(credentials)] })

for (const transport of [ours, theirs]) {
  try {
    const registry = createClient(ApplicationRegistry, transport)
    const { ids, name } = await registry.get({ applicationIds: { applicationId }, fieldMask: { paths: ['name'] } })
    console.log(ids.applicationId, name)
  } catch (error) {
    // A ConnectError; what it means is its cause.
    console.error(error.message, error.cause.code)
    process.exitCode = 1
  }
}
ours.close()
