// Any gRPC method with the messages of protobufjs, which reads .proto files.
//   TTN_ADDRESS=grpcs://eu1.cloud.thethings.network:8884 TTN_SECRET=NNSXS... node examples/node/protobufjs.mjs app1
import { fileURLToPath } from 'node:url'

import protobuf from 'protobufjs'
import { Client, Credentials } from '@thingskey/ttn-auth'

const { TTN_ADDRESS: address, TTN_SECRET: secret, TTN_CA: ca } = process.env
const [applicationId = 'app1'] = process.argv.slice(2)
const client = new Client({ address, ca, credentials: Credentials.parse(secret) })

const root = await protobuf.load(fileURLToPath(new URL('proto/stack.proto', import.meta.url)))
const type = (name) => root.lookupType(`ttn.lorawan.v3.${name}`)
const encode = (name, message) => type(name).encode(type(name).fromObject(message)).finish()

const wanted = encode('GetApplicationRequest', { applicationIds: { applicationId }, fieldMask: { paths: ['name'] } })
const { message } = await client.unary('/ttn.lorawan.v3.ApplicationRegistry/Get', wanted)
console.log(type('Application').decode(message).name)

const events = encode('StreamEventsRequest', { identifiers: [{ applicationIds: { applicationId } }] })
for await (const message of client.stream('/ttn.lorawan.v3.Events/Stream', events)) {
  console.log(type('Event').decode(message).name)
  break
}
client.close()
