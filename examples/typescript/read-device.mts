// Reads a device over each transport of a sandbox, with types.
import { AuthError, Client, Credentials, Sandbox, type AuthErrorCode, type Device } from '@thingskey/ttn-auth'

async function read(client: Client, dev_id: string): Promise<Device | AuthErrorCode> {
  try {
    return await client.getDevice({ app_id: 'test-app', dev_id }, { timeout: 5000 })
  } catch (error) {
    if (error instanceof AuthError) return error.code
    throw error
  }
}

const sandbox = await Sandbox.start()
for (const address of [sandbox.grpcsAddress, sandbox.httpsAddress]) {
  const client = new Client({ address, ca: sandbox.ca, credentials: Credentials.parse(sandbox.accessKey) })
  const device = await read(client, 'dev-1')
  console.log(client.transport, typeof device === 'string' ? device : device.lorawan_device?.dev_eui)
  console.log(client.transport, await read(client, 'no-such-device'))
  client.close()
}
await sandbox.stop()
