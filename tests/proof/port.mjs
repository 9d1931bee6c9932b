// Ports that stay free while nobody listens on them.
import { createServer } from 'node:net'
import { once } from 'node:events'

export const HOST = '127.0.0.1'

/**
 * Below the ports that Linux gives to outgoing connections (32768 and up): one of those could take the port of a server
 * that is down and to come back.
 */
const [FIRST, LAST] = [20_000, 32_000]
const given = new Set()

export async function freePort() {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    if (given.has(port)) continue
    const server = createServer()
    const free = await Promise.race([
      once(server.listen(port, HOST), 'listening').then(() => true),
      once(server, 'error').then(() => false),
    ]).catch(() => false)
    if (!free) continue
    await new Promise((resolve) => server.close(resolve))
    given.add(port)
    return port
  }
}
