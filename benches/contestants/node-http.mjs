// node:http and node:https with an agent that keeps connections.
import http from 'node:http'
import https from 'node:https'

import { caller, PATH } from './calls.mjs'

export function connect({ port, tls, ca, token, most }) {
  const { Agent, get } = tls ? https : http
  const agent = new Agent({ keepAlive: true, maxSockets: most, maxFreeSockets: most, ca })
  const options = { agent, host: '127.0.0.1', port, path: PATH, headers: { authorization: `Bearer ${token}` } }
  return caller(
    () =>
      new Promise((resolve, reject) => {
        get(options, (answer) => {
          const parts = []
          answer.on('data', (part) => parts.push(part))
          answer.on('error', reject)
          answer.on('end', () => {
            if (answer.statusCode !== 200) reject(new Error(`${answer.statusCode}`))
            else resolve(JSON.parse(Buffer.concat(parts).toString()))
          })
        }).on('error', reject)
      }),
  )
}
