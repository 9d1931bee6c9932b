// The network as a process of its own, which can be killed, stopped and started again: a sandbox that does what it is
// told over IPC. Started by child.mjs.
import { createRequire } from 'node:module'

import { answer } from './commands.mjs'

const { Sandbox } = createRequire(import.meta.url)('../../node/index.js')

let sandbox

const commands = {
  /** Starts it; what a client needs of it comes back. */
  async start(options) {
    sandbox = await Sandbox.start(options)
    return { ...sandbox.toJSON(), ca: sandbox.ca, accessKey: sandbox.accessKey, bearerToken: sandbox.bearerToken }
  },
  /** A property. */
  get: (name) => sandbox[name],
  /** Any of its methods: what it can do is the sandbox's to say. */
  call: (name, ...args) => sandbox[name](...args),
}

answer(commands)
