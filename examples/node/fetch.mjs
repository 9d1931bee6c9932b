// The credentials for an HTTP client of your own.
import { Credentials } from '@thingskey/ttn-auth'

const { TTN_ADDRESS: address, TTN_SECRET: secret } = process.env
const credentials = Credentials.parse(secret ?? '')
console.log(credentials.describe())

// Your client decides where the header goes: never follow a redirect with it.
const response = await fetch(`${address}/applications/test-app/devices/dev-1`, { headers: credentials.headers(), redirect: 'error' })
console.log(response.status, await response.json())
