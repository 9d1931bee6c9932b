// A part of a V2 Handler's gRPC API with @grpc/grpc-js, whose callers need the right `devices` on the application in the message.
//   LISTEN=127.0.0.1:1904 node examples/node/guard-grpc.js
const { join } = require('node:path')
const { promisify } = require('node:util')
const grpc = require('@grpc/grpc-js')
const { loadSync } = require('@grpc/proto-loader')
const { Authenticator } = require('@thingskey/ttn-auth')

const { TTN_ACCOUNT_SERVER, TTN_ISSUER = 'ttn-account-v2', LISTEN = '127.0.0.1:1904' } = process.env

const authenticator = new Authenticator({
  authServers: { [TTN_ISSUER]: TTN_ACCOUNT_SERVER ?? 'https://account.thethingsnetwork.org' },
})
const proto = join(__dirname, '..', '..', 'proto')
const { handler } = grpc.loadPackageDefinition(loadSync('handler.proto', { includeDirs: [proto], keepCase: true }))

// Methods that are not named here are closed.
const guard = authenticator.grpc({ rights: { '/handler.ApplicationManager/GetDevice': 'devices' } })
const server = new grpc.Server({ interceptors: [guard] })

server.addService(handler.ApplicationManager.service, {
  GetDevice(call, callback) {
    const { app_id, dev_id } = call.request
    callback(null, { app_id, dev_id, description: `read by ${authenticator.claims(call).subject}` })
  },
})

async function main() {
  const bind = promisify(server.bindAsync.bind(server))
  const port = await bind(LISTEN, grpc.ServerCredentials.createInsecure())
  console.log(`listening on ${LISTEN.split(':')[0]}:${port}`)
  process.once('SIGTERM', () => server.forceShutdown())
}

main()
