// Tokens that no gRPC or HTTP library would send as they are, and answers that need not be any: each call on a connection of
// its own. An end is `{ ok, code, message, ms }`; `code` is 0 where there was no answer.
import { request } from 'node:http'
import { connect } from 'node:http2'

/** Larger than any forgery: the servers' limits are what counts. */
const HEADERS = 4 << 20

/** No answer within this many milliseconds is none. */
const LIMIT = 10_000

/** What the text of a header's value may have, and what gRPC's metadata may: nothing else goes over a wire as it is. */
export const fitsHeader = (text) => /^[\t\x20-\x7e]*$/.test(text)
export const fitsMetadata = (text) => /^[\x20-\x7e]*$/.test(text) && text === text.trim()

/** Calls of a server by its transport. */
export const rawCaller = (server, device) => (server.transport === 'grpc' ? overHttp2(server, device) : overHttp1(server, device))

function overHttp2({ port }, { appId, devId }) {
  const message = Buffer.concat([appId, devId].map((id, at) => Buffer.concat([Buffer.from([((at + 1) << 3) | 2, id.length]), Buffer.from(id)])))
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message])
  return (token) => new Promise((resolve) => {
    const started = performance.now()
    const session = connect(`http://127.0.0.1:${port}`, { maxSendHeaderBlockLength: HEADERS })
    session.on('error', () => {})
    const end = (code, text = '') => {
      session.destroy()
      resolve({ ok: code === 'ok', code, message: text, ms: performance.now() - started })
    }
    const headers = { ':method': 'POST', ':path': '/handler.ApplicationManager/GetDevice', 'content-type': 'application/grpc', te: 'trailers', token }
    let stream
    try {
      stream = session.request(headers)
    } catch (error) {
      return end(0, error.message)
    }
    let told
    const hear = (found) => {
      if (found['grpc-status'] !== undefined) told = found
      else if (found[':status'] !== undefined && found[':status'] !== 200) told = { 'grpc-status': `HTTP ${found[':status']}` }
    }
    stream.setTimeout(LIMIT, () => stream.destroy(new Error('no answer')))
    stream.on('response', hear).on('trailers', hear).on('error', () => {}).resume()
    stream.on('close', () => {
      if (!told) return end(0, 'no status')
      const status = told['grpc-status']
      end(status === '0' ? 'ok' : Number(status) || status, decodeURIComponent(told['grpc-message'] ?? ''))
    })
    stream.end(frame)
  })
}

function overHttp1({ port }, { appId, devId }) {
  const path = `/applications/${appId}/devices/${devId}`
  return (token) => new Promise((resolve) => {
    const started = performance.now()
    const end = (code, text = '') => resolve({ ok: code === 200, code, message: text, ms: performance.now() - started })
    const headers = { authorization: `Bearer ${token}` }
    const outgoing = request({ host: '127.0.0.1', port, path, agent: false, headers }, async (answer) => {
      const text = await answer.toArray().then((parts) => Buffer.concat(parts).toString(), () => '')
      end(answer.statusCode, messageOf(text))
    })
    outgoing.setTimeout(LIMIT, () => outgoing.destroy(new Error('no answer')))
    outgoing.on('error', (error) => end(0, error.message)).end()
  })
}

function messageOf(text) {
  try {
    return JSON.parse(text).message ?? ''
  } catch {
    return ''
  }
}
