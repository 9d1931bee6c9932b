// An HTTP API for devices with Express, whose callers need the right `devices` on the application in the path.
//   LISTEN=127.0.0.1:8080 node examples/node/guard-express.js
// TTN_ACCOUNT_SERVER and TTN_ISSUER say whose tokens and access keys count.
const { once } = require('node:events')
const express = require('express')
const { Authenticator } = require('@thingskey/ttn-auth')

const { TTN_ACCOUNT_SERVER, TTN_ISSUER = 'ttn-account-v2', LISTEN = '127.0.0.1:8080' } = process.env

const authenticator = new Authenticator({
  authServers: { [TTN_ISSUER]: TTN_ACCOUNT_SERVER ?? 'https://account.thethingsnetwork.org' },
})
const app = express()

app.get('/healthz', (request, response) => response.send('ok'))

app.get('/applications/:app_id/devices/:dev_id', authenticator.express({ right: 'devices' }), (request, response) => {
  const { app_id, dev_id } = request.params
  response.json({ app_id, dev_id, description: `read by ${request.auth.subject}` })
})

async function main() {
  const [host, port] = LISTEN.split(':')
  const server = app.listen(Number(port), host)
  await once(server, 'listening')
  console.log(`listening on ${host}:${server.address().port}`)
  process.once('SIGTERM', () => {
    server.close()
    server.closeAllConnections()
  })
}

main()
