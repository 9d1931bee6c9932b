'use strict'
// Asks the package's own sandbox for a device, with both credentials over both transports, and prints what it runs on and the
// four answers as one line of JSON. Its exit code is 0 if all four gave the same device. It needs the installed package only.

const { isDeepStrictEqual } = require('node:util')

const { Client, Credentials, Sandbox, version } = require('@thingskey/ttn-auth')

async function call(address, secret, { appId, devId }) {
  const client = new Client({ address, credentials: Credentials.parse(secret) })
  try {
    return { device: await client.getDevice({ app_id: appId, dev_id: devId }) }
  } catch (error) {
    return { error: `${error.code}: ${error.message}` }
  } finally {
    client.close()
  }
}

async function main() {
  const sandbox = await Sandbox.start()
  const calls = []
  for (const [transport, address] of [['grpc', sandbox.grpcAddress], ['http', sandbox.httpAddress]]) {
    for (const [credential, secret] of [['bearer token', sandbox.bearerToken], ['access key', sandbox.accessKey]]) {
      calls.push({ transport, credential, ...(await call(address, secret, sandbox)) })
    }
  }
  const [{ device }] = calls
  const ok = device?.dev_id === sandbox.devId && calls.every((each) => isDeepStrictEqual(each.device, device))
  await sandbox.stop()
  const { arch, platform, version: node } = process
  const { bun, deno } = process.versions
  console.log(JSON.stringify({ node, bun, deno, platform, arch, package: version, ok, calls }))
  process.exitCode = ok ? 0 : 1
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
