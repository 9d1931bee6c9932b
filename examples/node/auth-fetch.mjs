// fetch with credentials: it replaces refused tokens and waits for rate limits, and never carries a credential to another server.
//   TTN_ADDRESS=https://eu1.cloud.thethings.network/api/v3 TTN_SECRET=NNSXS... node examples/node/auth-fetch.mjs /auth_info
import { Credentials, authFetch } from '@thingskey/ttn-auth'

const { TTN_ADDRESS: address, TTN_SECRET: secret } = process.env
const [path = '/applications/test-app/devices/dev-1'] = process.argv.slice(2)

// `address` is optional: with it, requests to any other server are refused.
const fetch = authFetch({ credentials: Credentials.parse(secret), address: new URL(address).origin })
const response = await fetch(address + path)
console.log(response.status, await response.json())
