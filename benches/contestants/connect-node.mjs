// @connectrpc/connect-node over gRPC, with descriptors that protobuf-es reads, as it does generated ones; they are of our .proto files.
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'

import { caller, APP_ID, DEV_ID } from './calls.mjs'

function service(descriptors) {
  const set = fromBinary(FileDescriptorSetSchema, Buffer.from(descriptors, 'base64'))
  return createFileRegistry(set).getService('handler.ApplicationManager')
}

export function connect({ port, tls, ca, token, descriptors }) {
  const transport = createGrpcTransport({
    baseUrl: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    nodeOptions: tls ? { ca } : undefined,
  })
  const client = createClient(service(descriptors), transport)
  const options = { headers: { token } }
  return caller(
    () => client.getDevice({ appId: APP_ID, devId: DEV_ID }, options),
    (device) => device.devId,
  )
}
