// A server that our Authenticator guards, with the options in TTN_PROOF_AUTHENTICATOR: what the examples leave at its default.
import { createServer } from 'node:http'
import { createRequire } from 'node:module'

const { Authenticator } = createRequire(import.meta.url)('../../node/index.js')

const authenticator = new Authenticator(JSON.parse(process.env.TTN_PROOF_AUTHENTICATOR))
const server = createServer(async ({ url, headers }, answer) => {
  try {
    const claims = await authenticator.authenticate(headers, { appId: url.split('/')[2], right: 'devices' })
    answer.end(claims.subject)
  } catch (error) {
    const { status, headers: told, body } = error.answer
    answer.writeHead(status, told).end(body)
  }
})
server.listen(0, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`))
process.once('SIGTERM', () => process.exit())
