// A proxy in front of an account server as a process of its own, which does what it is told over IPC. Started by child.mjs.
import { answer } from './commands.mjs'
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

answer(commands)
