'use strict'
// Where a secret comes from: a file, an environment variable, standard input. Arguments stay in the shell's history, and
// everybody on the machine can read them in the list of processes.

const { createReadStream } = require('node:fs')

const { TEXT, UsageError } = require('./arguments.js')

/** Looked at when nothing else is named. */
const VARIABLE = 'TTN_SECRET'

const OPTIONS = { 'secret-file': TEXT, 'secret-env': TEXT }

const HELP = `Where the credential comes from:
  --secret-file FILE     a file
  --secret-env NAME      an environment variable
  -                      standard input
  otherwise              the environment variable ${VARIABLE}, or standard input where that is no terminal
`

const HOW = `Name a file with --secret-file or an environment variable with --secret-env, set ${VARIABLE}, or pipe it in.`

/** In bytes. The longest token that a server of this package takes is as long. */
const LONGEST = 64 * 1024

/** For commands that take no secret as an argument: refuses all but `-`. */
function refuseArguments(positionals) {
  if (positionals.every((each) => each === '-')) return
  const what = 'unexpected argument, not shown here: if it is a secret, it is in the shell\'s history and in the list of processes now'
  throw new UsageError(what, HOW)
}

/** Whether a text is what a variable looks like that nobody filled in. Its name is not repeated: a key could stand there. */
const isVariable = (text) => /^(?:\$\{.*\}|\$\(.*\)|\$\w+|%\w+%)$/s.test(text)

/** `{ text, from }`: the secret, and in words where it was. `blanks` leaves it as it is, for whoever looks at what is around it. */
async function readSecret(values, { dash, blanks = false }) {
  const { bytes, from } = await originOf(values, dash)
  const text = decoded(bytes, from)
  if (text.trim() === '') throw new UsageError(`there is nothing in ${from}`, HOW)
  if (blanks) return { text, from }
  if (isVariable(text.trim())) throw new UsageError(`what is in ${from} is a variable's name, not its value`, HOW)
  return { text: text.trim(), from }
}

async function originOf({ 'secret-file': file, 'secret-env': variable }, dash) {
  if ([file !== undefined, variable !== undefined, dash].filter(Boolean).length > 1) {
    throw new UsageError('the credential can come from one place only: --secret-file, --secret-env, or - for standard input')
  }
  if (file !== undefined) return { bytes: await fileBytes(file, '--secret-file'), from: 'the file of --secret-file' }
  if (variable !== undefined) return { bytes: variableBytes(variable, '--secret-env'), from: 'the environment variable of --secret-env' }
  if (!dash && process.env[VARIABLE]?.trim()) return { bytes: Buffer.from(process.env[VARIABLE]), from: `the environment variable ${VARIABLE}` }
  if (process.stdin.isTTY) {
    if (!dash) throw new UsageError('no credential', HOW)
    process.stderr.write('Paste the credential, and end it with Enter and Ctrl-D:\n')
  }
  return { bytes: await bytesOf(process.stdin, 'standard input'), from: 'standard input' }
}

/** Another secret, in the file or the variable that `--<name>-file` or `--<name>-env` names. */
async function readOther(values, name) {
  const [file, variable] = [`--${name}-file`, `--${name}-env`]
  const isFile = values[file.slice(2)] !== undefined
  const bytes = isFile ? await fileBytes(values[file.slice(2)], file) : variableBytes(values[variable.slice(2)], variable)
  return decoded(bytes, isFile ? `the file of ${file}` : `the variable of ${variable}`).trim()
}

/** Its name is not repeated: it may be the secret, given in the wrong place. */
function variableBytes(name, option) {
  const isSet = Object.hasOwn(process.env, name)
  if (isSet && process.env[name]) return Buffer.from(process.env[name])
  const hint = `Give ${option} the variable's name, without a $, and export the variable.`
  throw new UsageError(`the environment variable that ${option} names is ${isSet ? 'empty' : 'not set'}`, hint)
}

const CAUSES = { ENOENT: 'does not exist', EACCES: 'may not be read by this user', EISDIR: 'is a folder' }

/** Nor is a path. */
async function fileBytes(path, option) {
  const what = `the file of ${option}`
  try {
    return await bytesOf(createReadStream(path), what)
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${what} ${CAUSES[error.code] ?? `cannot be read (${error.code})`}`)
  }
}

/** A file's text, such as a certificate's. */
async function readFile(path, option) {
  return decoded(await fileBytes(path, option), `the file of ${option}`)
}

async function bytesOf(stream, what) {
  const chunks = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > LONGEST) throw new UsageError(`${what} is longer than ${LONGEST / 1024} KiB: it must be something else`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function decoded(bytes, what) {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new UsageError(`${what} is not text in UTF-8`, 'Save it as UTF-8; Windows PowerShell writes UTF-16 with >.')
  }
}

module.exports = { HELP, HOW, OPTIONS, isVariable, readFile, readOther, readSecret, refuseArguments }
