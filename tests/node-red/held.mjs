// A server that answers when it is told to, over gRPC and HTTP, and what it has seen: in which order calls came, and how many
// were there at once.
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'

import grpc from '@grpc/grpc-js'

/** As a V2 Handler says it over HTTP, with the status 500. */
const MISSING = JSON.stringify({ error: 'handler:device:x not found', code: 5, message: 'handler:device:x not found' })

const bytes = (buffer) => buffer

/** What a ttn-request node needs to call it with a message's number. */
export const REQUESTS = {
  grpc: { request: { call: 'grpc', rpc: '/test.Held/Call', devId: '' }, msg: (number) => ({ number, payload: Buffer.from(String(number)) }) },
  http: { request: { call: 'http', devId: '' }, msg: (number) => ({ number, path: `/calls/${number}` }) },
}

export class Held extends EventEmitter {
  /** The numbers of all calls, as they came. */
  came = []
  /** The most calls that were there at once. */
  most = 0
  #open = new Map()

  static async start(t) {
    const held = new Held()
    const http = createServer(({ url }, response) => {
      held.#arrived(Number(url.split('/').pop()), (found) => response.writeHead(found ? 200 : 500).end(found ? '' : MISSING))
    })
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    const rpc = new grpc.Server()
    rpc.register('/test.Held/Call', ({ request }, answer) => {
      const missing = { code: grpc.status.NOT_FOUND, details: 'not found' }
      held.#arrived(Number(request), (found) => (found ? answer(null, request) : answer(missing)))
    }, bytes, bytes, 'unary')
    const port = await new Promise((resolve, reject) => {
      rpc.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)))
    })
    held.addresses = { httpAddress: `http://127.0.0.1:${http.address().port}`, grpcAddress: `grpc://127.0.0.1:${port}` }
    t.after(() => {
      rpc.forceShutdown()
      http.closeAllConnections()
      http.close()
    })
    return held
  }

  #arrived(number, answer) {
    this.came.push(number)
    this.#open.set(number, answer)
    this.most = Math.max(this.most, this.#open.size)
    this.emit('arrived')
  }

  /** When so many calls have come. */
  async calls(count) {
    while (this.came.length < count) await once(this, 'arrived')
  }

  /** Answers a call: found, or not. */
  answer(number, found = true) {
    const answer = this.#open.get(number)
    this.#open.delete(number)
    answer(found)
  }
}
