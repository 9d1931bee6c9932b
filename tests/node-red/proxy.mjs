// What stands between the nodes and a server.
import { once } from 'node:events'
import { createServer, connect } from 'node:net'

/** A TCP proxy that shows which connections are open; `hold` swallows everything instead of passing it on. */
export async function proxy(address, { hold = false, port = 0 } = {}) {
  const target = new URL(address.replace(/^grpc/, 'http'))
  const open = new Set()
  const server = createServer((socket) => {
    open.add(socket)
    server.emit('opened', socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      open.delete(socket)
      server.emit('closed', socket)
    })
    if (hold) return socket.resume()
    const upstream = connect(target.port, target.hostname)
    upstream.on('error', () => socket.destroy())
    socket.pipe(upstream).pipe(socket)
    socket.on('close', () => upstream.destroy())
    upstream.on('close', () => socket.destroy())
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const scheme = address.split('://')[0]
  return {
    server,
    open,
    address: `${scheme}://127.0.0.1:${server.address().port}`,
    stop() {
      for (const socket of open) socket.destroy()
      server.close()
    },
  }
}
