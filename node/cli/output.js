'use strict'
// What the commands print: results on stdout, everything else on stderr, colours on a terminal only.

const { styleText } = require('node:util')

const { COMMAND, UsageError } = require('./arguments.js')

/** How a command ends. */
const STATUS = { good: 0, failed: 1, usage: 2 }

/** Characters that move a cursor, change what is shown, or show nothing. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu

/** Strangers' text, such as a claim or a server's words, so that a terminal does nothing but show it. */
function printable(text, longest = 500) {
  const shown = String(text).replace(UNSEEN, (character) => `\\u{${character.codePointAt(0).toString(16)}}`)
  return shown.length > longest ? `${shown.slice(0, longest)}…` : shown
}

/** One line of JSON, which a terminal does nothing with but show it, either. */
function toLine(value) {
  const escaped = (characters) => characters.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return `${JSON.stringify(value).replace(UNSEEN, escaped)}\n`
}

/** In colour if the stream is a terminal that has some, unless NO_COLOR says no; FORCE_COLOR says yes. */
const coloured = (format, text, stream = process.stdout) => styleText(format, text, { stream })

/** The longest message, in characters. Those on an addon that cannot be loaded have a system's words in them. */
const LONGEST = 2000

/** What words of the library's are on the command line. */
const WORDS = [
  ['as `ca`', 'with --ca FILE'],
  ['allow plaintext explicitly (allow_insecure / allowInsecure)', 'allow plaintext with --allow-insecure'],
  ['allow more time', 'allow more time with --timeout'],
  ['accountServer', '--account-server'],
  ['give the address of this one', 'give the address of this one with --account-server'],
  ['give it without exchange', 'give it without --exchange'],
  ['say that it is an access key', 'say so: --kind access-key'],
]

const worded = (text) => WORDS.reduce((before, [theirs, ours]) => before?.replace(theirs, ours), text)

/** An error as `--json` has it. */
const toJson = (error) => ({ code: error.code, message: worded(error.message), hint: worded(error.hint), transient: error.transient })

/**
 * Says on stderr what went wrong; gives the status to end with. Wrong arguments are told as text, everything else as the
 * command's output is.
 *
 * @param command the command's name, if one was chosen
 */
function fail(error, { command, json } = {}) {
  const isUsage = error instanceof UsageError
  if (json && !isUsage) process.stderr.write(toLine({ error: toJson(error) }))
  else {
    const message = worded(error.message).replace(/\s*\n\s*/g, ' ')
    process.stderr.write(`ttn-auth: ${printable(message, LONGEST)}\n${error.hint ? `${printable(worded(error.hint))}\n` : ''}`)
    if (isUsage) process.stderr.write(`Try: ${[COMMAND, command, '--help'].filter(Boolean).join(' ')}\n`)
  }
  return isUsage ? STATUS.usage : STATUS.failed
}

/** Whether output is lost that somebody waits for. */
let lost = false

/**
 * Whoever reads the output may go away (`| head`), which is no failure. One that cannot be written elsewhere is: a script
 * must not go on with half a token.
 */
function watchOutput() {
  process.stderr.on('error', () => {})
  process.stdout.on('error', (error) => {
    if (error.code === 'EPIPE') return
    lost = true
    process.stderr.write(`ttn-auth: the output cannot be written (${error.code})\n`)
  })
}

/** Ends when all is written, also if something is still under way that nobody waits for. */
function end(status) {
  const exit = () => process.stderr.write('', () => process.exit(lost ? STATUS.failed : status))
  // That it cannot be written is told a little later.
  process.stdout.write('', () => setImmediate(exit))
}

module.exports = { STATUS, coloured, end, fail, printable, toJson, toLine, watchOutput, worded }
