'use strict'
// `ttn-auth sandbox`: the stand-in network by command, for tests in any language and for trying things out.

const { COMMAND, TEXT, UsageError, refused, unknownArgument } = require('./arguments.js')
const { SIGNALS } = require('./prepare.js')

const STACK = ['stack-grpc', 'stack-grpcs', 'stack-http', 'stack-https']
const PORTS = ['grpc', 'grpcs', 'http', 'https', 'account', 'discovery', ...STACK].map((name) => `${name}-port`)

const OPTIONS = Object.fromEntries(['algorithm', 'journal', 'rate-limit', 'token-lifetime', ...PORTS].map((name) => [name, TEXT]))

const HELP = `Usage: ${COMMAND} sandbox [options]

Starts a stand-in V2 network on loopback: account server, Handler (gRPC and HTTP, with and without TLS), discovery.
Beside it a stand-in of The Things Stack (V3): Identity Server, events and OAuth. Ends with Ctrl-C.

Options:
  --json                 print one line of JSON, once it listens, instead of text
  --rate-limit N|off     calls a second for each subject and application (default: 5, as V2 has it)
  --token-lifetime S     how long tokens are valid that access keys are exchanged for, in seconds (default: 3600)
  --algorithm NAME       how the account server signs: ES256 (default) or RS256
  --journal FILE         keep everything in this file, and go on where it ends; its mode is 0600, it holds the sandbox's keys
${PORTS.map((name) => `  --${name} N`.padEnd(25) + '(default: any free port)').join('\n')}
  --help                 print this
  --version              print the version

Ends with 0 when it is stopped, 1 if it cannot be started, 2 for wrong arguments.
`

const camel = (name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase())

function port(name, value) {
  if (/^\d{1,9}$/.test(value) && Number(value) <= 65535) return Number(value)
  throw new UsageError(`--${name} needs a port from 0 (any free one) to 65535, not ${JSON.stringify(value)}`)
}

function read(values, positionals) {
  if (positionals.length > 0) throw unknownArgument(positionals[0])
  const settings = {}
  for (const name of ['algorithm', 'journal']) if (values[name] !== undefined) settings[name] = values[name]
  for (const name of ['rate-limit', 'token-lifetime', ...PORTS]) {
    const value = values[name]
    if (value === undefined) continue
    if (name === 'rate-limit' && value === 'off') settings.rateLimit = false
    else if (PORTS.includes(name)) settings[camel(name)] = port(name, value)
    else if (/^\d{1,9}$/.test(value)) settings[camel(name)] = Number(value)
    else throw new UsageError(`--${name} needs a number${name === 'rate-limit' ? ' or off' : ''}, not ${JSON.stringify(value)}`)
  }
  return { json: values.json === true, settings }
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
  stack: stackSummary(sandbox.stack),
})

/** The V3 side. */
const stackSummary = (stack) => ({
  grpc: stack.grpcAddress,
  grpcs: stack.grpcsAddress,
  http: stack.httpAddress,
  https: stack.httpsAddress,
  appId: stack.appId,
  userId: stack.userId,
  apiKey: stack.apiKey,
  userApiKey: stack.userApiKey,
  clientId: stack.clientId,
  clientSecret: stack.clientSecret,
  refreshToken: stack.refreshToken,
})

const rows = (table) => Object.entries(table).map(([name, value]) => `  ${name.padEnd(15)}${value}`).join('\n')

function describeStack({ appId, userId, apiKey, userApiKey, clientId, clientSecret, refreshToken, ...addresses }) {
  return `Beside it The Things Stack (V3):

${rows({ ...addresses, application: appId, 'API key': apiKey, user: userId, "user's API key": userApiKey })}
${rows({ 'OAuth client': `${clientId}, secret ${clientSecret}`, 'refresh token': refreshToken })}

Read the devices:

  curl -H 'Authorization: Bearer ${apiKey}' ${addresses.http}/api/v3/applications/${appId}/devices
`
}

/** The same for a person. */
function describe({ ca, appId, devId, accessKey, bearerToken, stack, ...addresses }) {
  return `A stand-in V2 network is running:

${rows({ ...addresses, application: appId, device: devId, 'access key': accessKey })}
  bearer token   ${bearerToken}

Read the device:

  curl -H 'Authorization: Key ${accessKey}' ${addresses.http}/applications/${appId}/devices/${devId}

${describeStack(stack)}
For grpcs and https trust this certificate:

${ca.trim()}

Ctrl-C ends it.
`
}

async function run({ json, settings }) {
  const { Sandbox } = require('../index.js')
  const running = await Sandbox.start(settings).catch((error) => {
    throw refused(error)
  })
  // The sandbox's own threads do not keep Node alive.
  const alive = setInterval(() => {}, 2 ** 30)
  const stop = async () => {
    clearInterval(alive)
    await running.stop()
  }
  for (const signal of SIGNALS) process.once(signal, stop)
  const shown = summary(running)
  process.stdout.write(json ? `${JSON.stringify(shown)}\n` : describe(shown))
}

module.exports = { HELP, OPTIONS, read, run }
