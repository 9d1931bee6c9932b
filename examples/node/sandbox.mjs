// A test of your own code against the sandbox: good and bad tokens, an outage, no network.
import { Client, Credentials, Sandbox } from '@thingskey/ttn-auth'

const sandbox = await Sandbox.start({ rateLimit: false })
const device = { app_id: sandbox.appId, dev_id: sandbox.devId }

for (const kind of ['valid', 'expired', 'badsig', 'nodevices']) {
  const credentials = Credentials.bearerToken(sandbox.mintToken({ kind }))
  const client = new Client({ address: sandbox.grpcsAddress, ca: sandbox.ca, credentials })
  const outcome = await client.getDevice(device).then(({ dev_id }) => dev_id, ({ code }) => code)
  console.log(kind.padEnd(10), outcome)
  client.close()
}
await sandbox.stop()
