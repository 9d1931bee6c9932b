// @grpc/grpc-js with @grpc/proto-loader and the options that its documentation has.
import { fileURLToPath } from 'node:url'

import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

import { caller, APP_ID, DEV_ID } from './calls.mjs'

const proto = fileURLToPath(new URL('../../proto', import.meta.url))

export function connect({ port, tls, ca, token }) {
  const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true, includeDirs: [proto] }
  const { handler } = grpc.loadPackageDefinition(loadSync('handler.proto', options))
  const credentials = tls ? grpc.credentials.createSsl(Buffer.from(ca)) : grpc.credentials.createInsecure()
  const client = new handler.ApplicationManager(`127.0.0.1:${port}`, credentials)
  const metadata = new grpc.Metadata()
  metadata.set('token', token)
  return caller(
    () =>
      new Promise((resolve, reject) => {
        client.getDevice({ app_id: APP_ID, dev_id: DEV_ID }, metadata, (error, device) => (error ? reject(error) : resolve(device)))
      }),
  )
}
