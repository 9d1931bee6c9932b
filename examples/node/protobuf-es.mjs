// Any gRPC method with the messages of @bufbuild/protobuf, whose code protoc-gen-es generated.
//   TTN_ADDRESS=grpcs://eu1.cloud.thethings.network:8884 TTN_SECRET=NNSXS... node examples/node/protobuf-es.mjs app1
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Client, Credentials } from '@thingskey/ttn-auth'

import { ApplicationSchema, EventSchema, GetApplicationRequestSchema, StreamEventsRequestSchema } from './proto/stack_pb.mjs'

const { TTN_ADDRESS: address, TTN_SECRET: secret, TTN_CA: ca } = process.env
const [applicationId = 'app1'] = process.argv.slice(2)
const client = new Client({ address, ca, credentials: Credentials.parse(secret) })

const wanted = create(GetApplicationRequestSchema, { applicationIds: { applicationId }, fieldMask: { paths: ['name'] } })
const { message } = await client.unary('/ttn.lorawan.v3.ApplicationRegistry/Get', toBinary(GetApplicationRequestSchema, wanted))
console.log(fromBinary(ApplicationSchema, message).name)

const events = create(StreamEventsRequestSchema, { identifiers: [{ ids: { case: 'applicationIds', value: { applicationId } } }] })
for await (const message of client.stream('/ttn.lorawan.v3.Events/Stream', toBinary(StreamEventsRequestSchema, events))) {
  console.log(fromBinary(EventSchema, message).name)
  break
}
client.close()
