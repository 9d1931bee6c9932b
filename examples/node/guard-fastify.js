// The same API as guard-express.js with Fastify.
//   LISTEN=127.0.0.1:8080 node examples/node/guard-fastify.js
const fastify = require('fastify')
const { Authenticator } = require('@thingskey/ttn-auth')

const { TTN_ACCOUNT_SERVER, TTN_ISSUER = 'ttn-account-v2', LISTEN = '127.0.0.1:8080' } = process.env

const authenticator = new Authenticator({
  authServers: { [TTN_ISSUER]: TTN_ACCOUNT_SERVER ?? 'https://account.thethingsnetwork.org' },
})

async function main() {
  const app = fastify({ forceCloseConnections: true })
  // Every route needs the right but those that say otherwise: what is forgotten is closed.
  await app.register(authenticator.fastify({ right: 'devices' }))

  app.get('/healthz', { config: { ttn: false } }, async () => 'ok')

  app.get('/applications/:app_id/devices/:dev_id', async (request) => {
    const { app_id, dev_id } = request.params
    return { app_id, dev_id, description: `read by ${request.auth.subject}` }
  })

  const [host, port] = LISTEN.split(':')
  await app.listen({ host, port: Number(port) })
  console.log(`listening on ${host}:${app.server.address().port}`)
  process.once('SIGTERM', () => app.close())
}

main()
