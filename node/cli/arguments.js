'use strict'
// The command line's arguments. What is wrong with them is told without repeating what could be a secret in the wrong place.

const { parseArgs } = require('node:util')

const { isClone } = require('./prepare.js')

/** How to run this: the bare name works where npm finds the clone's own command. */
const COMMAND = isClone() ? 'npx ttn-auth' : 'npx @thingskey/ttn-auth'

const TEXT = { type: 'string' }
const FLAG = { type: 'boolean' }

/** What every command takes. */
const COMMON = { json: FLAG, help: FLAG, version: FLAG }

/** Wrong arguments: the command ends with 2. */
class UsageError extends Error {
  /** @param hint what to do about it */
  constructor(message, hint) {
    super(message)
    this.hint = hint
  }
}

/** The library's word on an argument, as ours; any other error as it is. */
const refused = (error) => (error.code === 'AUTH_INVALID_ARGUMENT' ? new UsageError(error.message, error.hint) : error)

/** A name that somebody means as one: no access key or token looks like it. */
const isName = (text) => /^-{0,2}[a-z][a-z-]{0,30}$/.test(text)

const unknownArgument = (text) =>
  new UsageError(isName(text) ? `unknown argument "${text}"` : 'unknown argument, not shown here: it could be a secret')

/** `{ values, positionals }`, as `util.parseArgs` has them. */
function parse(args, options) {
  try {
    return parseArgs({ args, options: { ...COMMON, ...options }, allowPositionals: true })
  } catch (error) {
    if (error.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') throw new UsageError(error.message.split('\n')[0])
    const name = /'(.*?)'/.exec(error.message)?.[1] ?? ''
    throw new UsageError(isName(name) ? `unknown option ${name}` : 'unknown option, not shown here: it could be a secret')
  }
}

/** The application of `--app-id`. A text that is none goes nowhere, and is not repeated. */
function applicationId(values, what) {
  const id = values['app-id']
  if (id === undefined) throw new UsageError(`--app-id is missing: ${what}`)
  if (/^[a-z0-9_-]{1,36}$/.test(id)) return id
  throw new UsageError('--app-id is no application\'s id: up to 36 lower-case letters, digits, dashes and underscores')
}

/** The longest time limit, in seconds. */
const LONGEST = 3600

/** A time limit in milliseconds, of an option in seconds. */
function milliseconds(values, name, seconds) {
  const text = values[name] ?? String(seconds)
  if (!/^\d{1,4}(\.\d{1,3})?$/.test(text) || !(Number(text) > 0) || Number(text) > LONGEST) {
    throw new UsageError(`--${name} needs a number of seconds, more than 0 and up to ${LONGEST}`)
  }
  return Number(text) * 1000
}

module.exports = { COMMAND, FLAG, TEXT, UsageError, applicationId, milliseconds, parse, refused, unknownArgument }
