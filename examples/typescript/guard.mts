// The same API as examples/node/guard-express.js without a framework: `authenticate`, and the error's `answer`. So it is done
// wherever there is no guard of ours.
import { createServer, type IncomingMessage } from 'node:http'

import { AuthError, Authenticator, type CallerAnswer, type Claims } from '@thingskey/ttn-auth'

const { TTN_ACCOUNT_SERVER, TTN_ISSUER = 'ttn-account-v2', LISTEN = '127.0.0.1:8080' } = process.env

const authenticator = new Authenticator({
  authServers: { [TTN_ISSUER]: TTN_ACCOUNT_SERVER ?? 'https://account.thethingsnetwork.org' },
})

type Answer = Pick<CallerAnswer, 'status' | 'headers' | 'body'>

const json = (status: number, body: object): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

async function handle({ url, rawHeaders }: IncomingMessage): Promise<Answer> {
  if (url === '/healthz') return { status: 200, headers: { 'content-type': 'text/plain' }, body: 'ok' }
  const path = /^\/applications\/([^/]+)\/devices\/([^/]+)$/.exec(url ?? '') ?? []
  const [app_id, dev_id] = path.slice(1).map(decodeURIComponent)
  if (app_id === undefined || dev_id === undefined) return json(404, { error: 'no such route' })
  const claims: Claims = await authenticator.authenticate(rawHeaders, { appId: app_id, right: 'devices' })
  return json(200, { app_id, dev_id, description: `read by ${claims.subject}` })
}

function refusal(error: unknown): Answer {
  if (error instanceof AuthError && error.answer) return error.answer
  if (error instanceof URIError) return json(400, { error: 'the path is not well-formed' })
  // What is left is no caller's business.
  return json(500, { error: 'the server failed' })
}

const server = createServer((request, response) => {
  handle(request)
    .catch(refusal)
    .then(({ status, headers, body }) => response.writeHead(status, headers).end(body))
})
const [host, port] = LISTEN.split(':')
server.listen(Number(port), host, () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(`listening on ${host}:${address.port}`)
})
process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})
