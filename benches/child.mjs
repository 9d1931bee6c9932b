// One contestant in a process of its own: `child.mjs MODULE [ARGUMENT]`. Lines of JSON tell it what to do: the first one where
// the server is, each other one a round; it answers each with a line. bench-client, the Rust contestants, speaks the same.
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [file, argument] = process.argv.slice(2)
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const next = async () => {
  const { value, done } = await lines.next()
  return done ? undefined : JSON.parse(value)
}
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)

const { connect } = await import(pathToFileURL(file))
const contestant = await connect(await next(), argument)
say({ ready: true })
for (let round = await next(); round; round = await next()) say(await contestant.run(round))
process.exit()
