#!/usr/bin/env node
'use strict'
// `npx @thingskey/ttn-auth sandbox`: the stand-in network by command, for tests in any language and for trying things out.

const { spawn } = require('node:child_process')
const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')
const { parseArgs } = require('node:util')

/** In a clone of the repository: builds what is missing, as `npm start` does. An installed package does not have it. */
const PREPARE = join(__dirname, '..', 'scripts', 'prepare.mjs')

/** How to run this: the bare name works where npm finds the clone's own command. */
const COMMAND = existsSync(PREPARE) ? 'npx ttn-auth' : 'npx @thingskey/ttn-auth'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

const PORTS = ['grpc', 'grpcs', 'http', 'https', 'account', 'discovery']

const HELP = `Usage: ${COMMAND} sandbox [options]

Starts a stand-in V2 network on loopback: account server, Handler (gRPC and HTTP, with and without TLS), discovery.
Ends with Ctrl-C.

Options:
  --json                 print one line of JSON, once it listens, instead of text
  --rate-limit N|off     calls a second for each subject and application (default: 5, as V2 has it)
  --token-lifetime S     how long tokens are valid that access keys are exchanged for, in seconds (default: 3600)
  --algorithm NAME       how the account server signs: ES256 (default) or RS256
  --journal FILE         keep everything in this file, and go on where it ends; its mode is 0600, it holds the sandbox's keys
${PORTS.map((name) => `  --${name}-port N`.padEnd(25) + '(default: any free port)').join('\n')}
  --help                 print this
  --version              print the version
`

const camel = (name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase())

function port(name, value) {
  if (/^\d{1,9}$/.test(value) && Number(value) <= 65535) return Number(value)
  throw new Error(`--${name} needs a port from 0 (any free one) to 65535, not ${JSON.stringify(value)}`)
}

/** What the arguments ask for, or an Error with what is wrong with them. */
function read(args) {
  const text = { type: 'string' }
  const flag = { type: 'boolean' }
  const ports = PORTS.map((name) => `${name}-port`)
  const options = {
    json: flag,
    help: flag,
    version: flag,
    algorithm: text,
    journal: text,
    'rate-limit': text,
    'token-lifetime': text,
    ...Object.fromEntries(ports.map((name) => [name, text])),
  }
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
  if (values.help || values.version) return { action: values.help ? 'help' : 'version' }
  if (positionals.length === 0) throw new Error('no command; there is one: sandbox')
  if (positionals.length > 1 || positionals[0] !== 'sandbox') {
    throw new Error(`unknown argument ${JSON.stringify(positionals.find((each) => each !== 'sandbox') ?? 'sandbox')}`)
  }
  const settings = {}
  for (const name of ['algorithm', 'journal']) if (values[name] !== undefined) settings[name] = values[name]
  for (const name of ['rate-limit', 'token-lifetime', ...ports]) {
    const value = values[name]
    if (value === undefined) continue
    if (name === 'rate-limit' && value === 'off') settings.rateLimit = false
    else if (ports.includes(name)) settings[camel(name)] = port(name, value)
    else if (/^\d{1,9}$/.test(value)) settings[camel(name)] = Number(value)
    else throw new Error(`--${name} needs a number${name === 'rate-limit' ? ' or off' : ''}, not ${JSON.stringify(value)}`)
  }
  return { action: 'sandbox', json: values.json === true, settings }
}

const summary = (sandbox) => ({
  grpc: sandbox.grpcAddress,
  grpcs: sandbox.grpcsAddress,
  http: sandbox.httpAddress,
  https: sandbox.httpsAddress,
  accountServer: sandbox.accountServer,
  discovery: sandbox.discovery,
  ca: sandbox.ca,
  appId: sandbox.appId,
  devId: sandbox.devId,
  accessKey: sandbox.accessKey,
  bearerToken: sandbox.bearerToken,
})

/** The same for a person. */
function describe({ ca, appId, devId, accessKey, bearerToken, ...addresses }) {
  const rows = Object.entries({ ...addresses, application: appId, device: devId, 'access key': accessKey })
  return `A stand-in V2 network is running:

${rows.map(([name, value]) => `  ${name.padEnd(15)}${value}`).join('\n')}
  bearer token   ${bearerToken}

Read the device:

  curl -H 'Authorization: Key ${accessKey}' ${addresses.http}/applications/${appId}/devices/${devId}

For grpcs and https trust this certificate:

${ca.trim()}

Ctrl-C ends it.
`
}

/**
 * Builds in a process group of its own: a signal to this process ends npm, cargo and what they started too, which would go
 * on building for nobody otherwise.
 */
async function prepare() {
  const script = `import(${JSON.stringify(pathToFileURL(PREPARE))}).then((module) => module.prepare()).catch((error) => {
    console.error('ttn-auth: ' + error.message)
    process.exitCode = 1
  })`
  // Windows has no process groups, and a detached child gets a window there.
  const detached = process.platform !== 'win32'
  const child = spawn(process.execPath, ['-e', script], { detached, stdio: ['ignore', 2, 2] })
  let asked
  const stop = (signal) => {
    asked = signal
    try {
      if (detached) process.kill(-child.pid, signal)
      else child.kill(signal)
    } catch {
      // It has just ended by itself.
    }
  }
  for (const signal of SIGNALS) process.on(signal, stop)
  const [status, signal] = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (...ended) => resolve(ended))
  })
  for (const each of SIGNALS) process.removeListener(each, stop)
  if (asked ?? signal) process.kill(process.pid, asked ?? signal)
  // It has said what is wrong.
  if (status !== 0) process.exit(1)
}

async function sandbox(settings, json) {
  if (existsSync(PREPARE)) await prepare()
  const { Sandbox } = require('./index.js')
  const running = await Sandbox.start(settings)
  // The sandbox's own threads do not keep Node alive.
  const alive = setInterval(() => {}, 2 ** 30)
  const stop = async () => {
    clearInterval(alive)
    await running.stop()
  }
  for (const signal of SIGNALS) process.once(signal, stop)
  // Whoever read the output has gone; the sandbox may be wanted all the same.
  process.stdout.on('error', () => {})
  const shown = summary(running)
  process.stdout.write(json ? `${JSON.stringify(shown)}\n` : describe(shown))
}

/** Ends with 2 for wrong arguments, 1 for any other failure. */
function fail(error, status) {
  process.stderr.write(`ttn-auth: ${error.message}\n${error.hint ? `${error.hint}\n` : ''}`)
  if (status === 2) process.stderr.write(`Try: ${COMMAND} --help\n`)
  process.exitCode = status
}

let request
try {
  request = read(process.argv.slice(2))
} catch (error) {
  fail(error, 2)
}
if (request?.action === 'help') process.stdout.write(HELP)
else if (request?.action === 'version') process.stdout.write(`${require('../package.json').version}\n`)
else if (request) sandbox(request.settings, request.json).catch((error) => fail(error, error.code === 'AUTH_INVALID_ARGUMENT' ? 2 : 1))
