// A proxy in front of an account server as a process of its own, which does what it is told over IPC. Started by child.mjs.
import { FaultProxy } from './fault-proxy.mjs'

let proxy

const commands = {
  async start(upstream) {
    proxy = await FaultProxy.start(upstream, (told) => process.send({ told }))
    return proxy.address
  },
  turn: (mode, ...args) => proxy[mode](...args),
  seen: () => ({ paths: proxy.paths, peaks: proxy.peaks }),
}

process.on('message', async ({ id, command, args }) => {
  try {
    process.send({ id, value: await commands[command](...args) })
  } catch (error) {
    process.send({ id, error: error.stack })
  }
})
process.on('disconnect', () => process.exit())
