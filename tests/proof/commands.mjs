// The other end of child.mjs: a process that does what it is told over IPC, until its parent ends.

/** @param {Record<string, (...args: any[]) => any>} commands  by name; what each gives, or throws, is its answer */
export function answer(commands) {
  process.on('message', async ({ id, command, args }) => {
    try {
      process.send({ id, value: await commands[command](...args) })
    } catch (error) {
      process.send({ id, error: error.stack })
    }
  })
  // Its parent may be killed too.
  process.on('disconnect', () => process.exit())
}
