#!/usr/bin/env node
'use strict'
// `npx @thingskey/ttn-auth`: chooses a command, each of which is a file in `cli/`.

const { COMMAND, UsageError, parse, unknownArgument } = require('./cli/arguments.js')
const { end, fail, watchOutput } = require('./cli/output.js')
const { prepare } = require('./cli/prepare.js')

const COMMANDS = {
  sandbox: ['a stand-in V2 network on this machine, to try things out and to test with', () => require('./cli/sandbox.js')],
  inspect: ['what a bearer token or an access key says of itself, and what looks wrong', () => require('./cli/inspect.js')],
  check: ['whether a network takes a credential, over gRPC and over HTTP, and what to do', () => require('./cli/check.js')],
  exchange: ['an access key\'s bearer token, from its account server', () => require('./cli/exchange.js')],
}

const HELP = `Usage: ${COMMAND} <command> [options]

Authenticates to The Things Network (LoRaWAN), V2.

Commands:
${Object.entries(COMMANDS).map(([name, [summary]]) => `  ${name.padEnd(11)}${summary}`).join('\n')}

Options of every command:
  --json     print one line of JSON; what failed is one on stderr, {"error": {"code", "message", "hint"}}
  --help     print the command's options
  --version  print the version

Secrets come from a file, an environment variable or standard input. Output has colours on a terminal only; NO_COLOR=1 turns
them off.

Ends with 0 if all is well, 1 if something failed or is wrong, 2 for wrong arguments.
`

const version = () => `${require('../package.json').version}\n`

/** The command's name, and the arguments without it. */
function choose(args) {
  const at = args.findIndex((each) => !each.startsWith('-'))
  if (at === -1) {
    const { values } = parse(args, {})
    if (values.help || values.version) return { shown: values.help ? HELP : version() }
    throw new UsageError(`no command; there are ${Object.keys(COMMANDS).join(', ')}`)
  }
  if (!Object.hasOwn(COMMANDS, args[at])) throw unknownArgument(args[at])
  return { name: args[at], args: args.toSpliced(at, 1) }
}

/** What the arguments ask for, read and checked, or thrown as what is wrong with them. */
function read(args) {
  const chosen = choose(args)
  if (chosen.shown) return chosen
  const command = COMMANDS[chosen.name][1]()
  try {
    const { values, positionals } = parse(chosen.args, command.OPTIONS)
    if (values.help || values.version) return { shown: values.help ? command.HELP : version() }
    return { ...chosen, command, json: values.json === true, settings: command.read(values, positionals) }
  } catch (error) {
    throw Object.assign(error, { command: chosen.name })
  }
}

async function main(args) {
  watchOutput()
  let request
  try {
    request = read(args)
    if (request.shown) return void process.stdout.write(request.shown)
    await prepare()
    const status = await request.command.run(request.settings)
    // The sandbox goes on.
    if (status !== undefined) end(status)
  } catch (error) {
    end(fail(error, { command: request?.name ?? error.command, json: request?.json }))
  }
}

main(process.argv.slice(2))
