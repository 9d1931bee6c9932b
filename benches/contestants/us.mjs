// Us: `Client.getDevice`, over the transport that is the argument.
import { caller, APP_ID, DEV_ID } from './calls.mjs'
import { us } from './package.mjs'

export function connect({ port, tls, ca, token }, transport) {
  const { Client, Credentials } = us()
  const client = new Client({
    address: `${transport}${tls ? 's' : ''}://127.0.0.1:${port}`,
    credentials: Credentials.bearerToken(token),
    ca: tls ? ca : undefined,
  })
  return caller(() => client.getDevice({ app_id: APP_ID, dev_id: DEV_ID }))
}
