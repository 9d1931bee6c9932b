// Reads a device, and tells what went wrong if it can't.
//   TTN_ADDRESS=grpc://127.0.0.1:1904 TTN_SECRET=ttn-account-v2.full-test-app node examples/node/read-device.js test-app dev-1
const { AuthError, Client, Credentials } = require('@thingskey/ttn-auth')

async function main([app_id = 'test-app', dev_id = 'dev-1']) {
  const { TTN_ADDRESS: address, TTN_SECRET: secret, TTN_CA: ca } = process.env
  const client = new Client({ address, ca, credentials: Credentials.parse(secret ?? '') })
  try {
    console.log(await client.getDevice({ app_id, dev_id }, { timeout: 5000 }))
  } finally {
    client.close()
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error instanceof AuthError ? `${error.code}: ${error.message}\n${error.hint}` : error)
  process.exitCode = 1
})
