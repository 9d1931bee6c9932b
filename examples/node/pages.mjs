// Lists an application's devices, two at a time. Ctrl-C ends it in the middle of a call.
import { Client, Credentials } from '@thingskey/ttn-auth'

const { TTN_ADDRESS: address, TTN_SECRET: secret, TTN_CA: ca } = process.env
const client = new Client({ address, ca, credentials: Credentials.parse(secret ?? '') })
const controller = new AbortController()
process.once('SIGINT', () => controller.abort(new Error('Ctrl-C')))

const limit = 2
for (let offset = 0; ; offset += limit) {
  const page = await client.getDevices({ app_id: 'test-app' }, { limit, offset, signal: controller.signal })
  for (const { dev_id, lorawan_device } of page.devices) console.log(dev_id, lorawan_device?.dev_eui)
  if (offset + page.selected >= page.total || page.selected === 0) break
}
client.close()
