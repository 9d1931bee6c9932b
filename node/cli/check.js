'use strict'
// `ttn-auth check`: whether a network takes a credential, over each transport, and what to do where it does not.

const account = require('./account.js')
const { COMMAND, FLAG, TEXT, UsageError, applicationId, milliseconds, refused } = require('./arguments.js')
const { late } = require('./limit.js')
const { STATUS, coloured, printable, toJson, toLine, worded } = require('./output.js')
const secret = require('./secret.js')

const OPTIONS = {
  ...secret.OPTIONS,
  ...account.OPTIONS,
  address: { type: 'string', multiple: true },
  discovery: TEXT,
  'app-id': TEXT,
  kind: TEXT,
  ca: TEXT,
  'account-ca': TEXT,
  'allow-insecure': FLAG,
  exchange: FLAG,
  timeout: TEXT,
}

const HELP = `Usage: ${COMMAND} check --address URL [--address URL] [options] [-]

Tests a bearer token, an access key or an API key of The Things Stack with a call to each address, which changes nothing (it
lists one device; The Things Stack tells what the key is first), and says what to do where that failed.

${secret.HELP}
Options:
  --address URL          grpc://, grpcs://, http:// or https:// with host and port; one of gRPC and one of HTTP test both
  --discovery URL        in place of addresses: a discovery service, for those of the application's Handler
  --app-id ID            the application (default: the token's first one; The Things Stack needs none)
  --kind KIND            bearer-token, access-key or api-key (default: as its shape tells)
  --ca FILE              the servers' certificate, or the CA's that signed it (PEM)
  --allow-insecure       allow grpc:// and http:// to other machines, where anyone between can read the credential
  --exchange             exchange the access key here, as clients can; otherwise the server does
${account.HELP}  --account-ca FILE      the account server's certificate, or the CA's that signed it (PEM)
  --timeout S            how long each address may take, in seconds (default: 10)
  --json                 print one line of JSON: {"good", "kind", "appId", "rows": [{"transport", "address", "good", "ms",
                         "devices", "info", "remark", "error": {"code", "message", "hint"}}]}
  --help                 print this
  --version              print the version

An account server's option implies --exchange.

Example: ${COMMAND} check --secret-file key.txt --app-id my-app --address grpcs://host:1904 --address https://host:8094

Ends with 0 if every address took the credential (also if it lacks a right, or
the application is not there), 1 if one did not, 2 for wrong arguments.
`

const KINDS = { 'bearer-token': 'bearerToken', 'access-key': 'accessKey', 'api-key': 'apiKey' }

function read(values, positionals) {
  secret.refuseArguments(positionals)
  account.read(values)
  const { address: addresses = [], discovery, kind } = values
  if ((addresses.length > 0) === (discovery !== undefined)) {
    throw new UsageError('give --address, once or more often, or --discovery', 'An address is such as grpcs://host:1904 or https://host:8094.')
  }
  if (kind !== undefined && !Object.hasOwn(KINDS, kind)) throw new UsageError('--kind must be bearer-token, access-key or api-key')
  const exchange = ['exchange', 'account-ca', ...Object.keys(account.OPTIONS)].some((name) => values[name] !== undefined)
  if (exchange) applicationId(values, 'the application that the key belongs to')
  else if (values['app-id'] !== undefined) applicationId(values)
  return { values, dash: positionals.length > 0, kind, exchange, timeout: milliseconds(values, 'timeout', 10), json: values.json === true }
}

async function run({ values, dash, kind, exchange, timeout, json }) {
  const { text } = await secret.readSecret(values, { dash })
  const { Credentials } = require('../index.js')
  const { applicationOf, attempt, attemptStack } = require('../check.js')
  const credentials = kind === undefined ? Credentials.parse(text) : Credentials[KINDS[kind]](text)
  const stack = credentials.describe().network === 'the-things-stack'
  if (stack && (exchange || values.discovery !== undefined)) throw new UsageError('The Things Stack has no exchange and no discovery: give --address')
  const appId = values['app-id'] ?? (stack ? undefined : applicationOf(credentials))
  if (!appId && !stack) throw new UsageError('--app-id is missing: the credential does not name its application')
  const options = { timeout, ca: values.ca && (await secret.readFile(values.ca, '--ca')), allowInsecure: values['allow-insecure'] === true }
  const targets = targetsOf(values, appId, options)
  if (exchange) options.tokenSource = (await account.exchange(values, credentials, { appId, timeout, caOption: 'account-ca' })).source
  else options.credentials = credentials
  const row = async ({ transport, address, connect }) => {
    const result = await (stack ? attemptStack : attempt)(connect, { appId, timeout, late: () => late('answer', timeout) })
    return { transport, ...result, address: result.address ?? address }
  }
  const rows = await Promise.all(targets.map(row))
  const checked = { good: rows.every(({ good }) => good), kind: credentials.kind, appId, rows }
  process.stdout.write(json ? toLine(toObject(checked)) : report(checked))
  return checked.good ? STATUS.good : STATUS.failed
}

/**
 * What is to be tried: `{ transport, address, connect }`. Throws for an address that is none.
 *
 * @param options of the clients; credentials are added before they connect
 */
function targetsOf({ address: addresses = [], discovery }, appId, options) {
  const { Client } = require('../index.js')
  const checked = (address) => {
    try {
      new Client({ address, ...options }).close()
    } catch (error) {
      // What is wrong with one address only is told in its row.
      if (error.code === 'AUTH_INVALID_ARGUMENT') throw refused(error)
    }
    return address
  }
  const direct = (address) => ({
    transport: /^http/i.test(address) ? 'http' : 'grpc',
    address: checked(address),
    connect: () => new Client({ address, ...options }),
  })
  const discovered = (transport) => ({
    transport,
    connect: () => Client.discover(appId, { discovery, transport, ...options }),
  })
  if (discovery !== undefined) checked(discovery)
  return discovery === undefined ? addresses.map(direct) : Object.keys(NAMES).map(discovered)
}

const toObject = ({ rows, ...checked }) => ({ ...checked, rows: rows.map((row) => ({ ...row, error: row.error && toJson(row.error) })) })

const NAMES = { grpc: 'gRPC', http: 'HTTP' }

const REMARKS = {
  'right-missing': 'took it, but a right is missing',
  'no-application': 'took it, but there is no such application',
  'not-seen': 'did not see a credential',
}

const TITLES = { 'bearer-token': 'Bearer token', 'access-key': 'Access key', 'api-key': 'API key' }

/** What The Things Stack says of a credential, as lines. */
function said({ kind, id, name, entity, rights, expiresAt }) {
  const whose = [kind.replaceAll('-', ' '), id, name && `"${name}"`, entity && `of ${entity.kind} ${entity.id}`].filter(Boolean).join(' ')
  const end = expiresAt ? `${expiresAt < new Date() ? 'expired' : 'expires'} ${expiresAt.toISOString()}` : 'does not expire'
  return [`${whose}, ${end}`, `${rights.length} rights: ${rights.map((right) => right.replace(/^RIGHT_/, '')).join(', ')}`]
}

/** The same for a person. */
function report({ kind, appId, rows }) {
  const lines = [`${coloured('bold', TITLES[kind])}, tested${appId ? ` with application ${appId}` : ''}:`, '']
  for (const { transport, address, good, ms, devices, info, remark, error } of rows) {
    const counted = devices === undefined ? 'took it' : `took it: ${devices} device${devices === 1 ? '' : 's'}`
    const answer = good ? counted : error?.code ?? 'failed'
    const sign = coloured(good ? 'green' : 'red', good ? 'good  ' : 'failed')
    lines.push(`  ${sign} ${NAMES[transport]}  ${printable(address ?? 'not discovered')}  ${REMARKS[remark] ?? answer}, ${ms} ms`)
    if (info) lines.push(...said(info).map((text) => `         ${printable(text)}`))
    if (error) lines.push(...[error.message, worded(error.hint)].filter(Boolean).map((text) => `         ${printable(text)}`))
  }
  const [only, ...others] = new Set(rows.map(({ transport }) => transport))
  if (others.length === 0) {
    const [other, scheme] = only === 'grpc' ? ['HTTP', 'https'] : ['gRPC', 'grpcs']
    lines.push('', `Only ${NAMES[only]} was tested: another --address, ${scheme}://…, tests ${other}, too.`)
  }
  return `${lines.join('\n')}\n`
}

module.exports = { HELP, OPTIONS, read, run }
