'use strict'
// `ttn-auth inspect`: what a credential says of itself, and what looks wrong. It is not shown, and nothing is sent.

const { COMMAND, TEXT, UsageError } = require('./arguments.js')
const { STATUS, coloured, printable, toLine } = require('./output.js')
const secret = require('./secret.js')
const { since } = require('./span.js')

const OPTIONS = { ...secret.OPTIONS, kind: TEXT }

const KINDS = { 'bearer-token': 'Bearer token', 'access-key': 'Access key', 'api-key': 'API key' }

const NETWORKS = { 'the-things-stack': 'The Things Stack (V3)' }

const HELP = `Usage: ${COMMAND} inspect [options] [-|TOKEN]

Says what a bearer token or a key is, what it says of itself, and what looks wrong with it. Nothing is sent, and
nothing verified: only a server can tell whether it is good (${COMMAND} check).

${secret.HELP}  TOKEN                  an argument: it stays in the shell's history and in the list of processes

Options:
  --kind KIND            bearer-token, access-key or api-key (default: as its shape tells)
  --json                 print one line of JSON: {"good", "verified": false, "kind", "issuer", …, "findings": [{"level",
                         "code", "message", "hint"}]}
  --help                 print this
  --version              print the version

Example: ${COMMAND} inspect --secret-file token.txt

Ends with 0 if it looks good, 1 if something is wrong with it (a note alone is not), 2 for wrong arguments.
`

function read(values, positionals) {
  const { kind } = values
  if (kind !== undefined && !Object.hasOwn(KINDS, kind)) throw new UsageError('--kind must be bearer-token, access-key or api-key')
  const dash = positionals.length === 1 && positionals[0] === '-'
  const given = positionals.length > 0 && !dash ? positionals.join(' ') : undefined
  if (given !== undefined && (values['secret-file'] !== undefined || values['secret-env'] !== undefined)) {
    throw new UsageError('the credential can come from one place only: an argument, --secret-file or --secret-env')
  }
  return { values, dash, kind, given, json: values.json === true }
}

async function run({ values, dash, kind, given, json }) {
  const { examine } = require('./findings.js')
  if (given !== undefined) {
    process.stderr.write(`Note: an argument stays in the shell's history and in the list of processes. ${secret.HOW}\n`)
  }
  const { text, from } = given === undefined ? await secret.readSecret(values, { dash, blanks: true }) : { text: given, from: 'the argument' }
  const now = Date.now()
  const examined = await examine(text, { kind, now })
  const good = examined.findings.every(({ level }) => level !== 'wrong')
  process.stdout.write(json ? toLine(toObject(examined, good, now)) : report(examined, { from, good, now }))
  return good ? STATUS.good : STATUS.failed
}

const toObject = ({ says, findings }, good, now) => ({
  good,
  verified: false,
  ...says,
  expiresIn: says.expiresAt && Math.floor((says.expiresAt - now) / 1000),
  findings,
})

/** The same for a person. */
function report({ says, findings }, { from, good, now }) {
  const title = coloured('bold', KINDS[says.kind] ?? 'No credential that can be read')
  const lines = [`${title}, from ${from}. Nothing was verified, and nothing sent.`, '']
  const rows = rowsOf(says, now)
  if (rows.length > 0) lines.push(...rows.map(([name, value]) => `  ${name.padEnd(12)}${printable(value)}`), '')
  for (const { level, message, hint } of findings) {
    lines.push(`${coloured(level === 'wrong' ? 'red' : 'yellow', `${level}:`.padEnd(7))}${printable(message)}`, `       ${hint}`)
  }
  if (findings.length === 0) lines.push(coloured('green', 'Nothing looks wrong.'))
  if (good) lines.push(`Whether a network takes it: ${COMMAND} check --help`)
  return `${lines.join('\n')}\n`
}

/** The most applications whose rights are shown, to a person. */
const MOST = 20

function rowsOf({ kind, network, id, issuer, subject, algorithm, type, client, scope, apps = {}, issuedAt, notBefore, expiresAt }, now) {
  const rights = Object.entries(apps).map(([id, list]) => `${id}: ${list.join(', ') || 'none'}`)
  const rest = rights.length > MOST ? [`and ${rights.length - MOST} applications more`] : []
  const date = (at) => at && `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC, ${at > now ? `in ${since(at - now)}` : `${since(now - at)} ago`}`
  const rows = [
    ['network', NETWORKS[network]],
    ['id', id],
    ['issuer', issuer],
    ['subject', subject],
    ['algorithm', algorithm],
    ['type', type],
    ['client', client],
    ['scope', scope?.join(', ')],
    ...[...rights.slice(0, MOST), ...rest].map((text, at) => [at === 0 ? 'rights' : '', text]),
    ['issued', date(issuedAt)],
    ['not before', date(notBefore)],
    [expiresAt <= now ? 'expired' : 'expires', date(expiresAt) ?? (kind === 'bearer-token' || network ? 'not known' : undefined)],
  ]
  return rows.filter(([, value]) => value)
}

module.exports = { HELP, OPTIONS, read, report, run }
