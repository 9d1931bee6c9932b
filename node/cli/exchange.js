'use strict'
// `ttn-auth exchange`: an access key's bearer token, alone on stdout: `TOKEN=$(ttn-auth exchange --app-id my-app)`.

const account = require('./account.js')
const { COMMAND, TEXT, applicationId, milliseconds } = require('./arguments.js')
const { STATUS, toLine } = require('./output.js')
const secret = require('./secret.js')
const { since } = require('./span.js')

const OPTIONS = { ...secret.OPTIONS, ...account.OPTIONS, 'app-id': TEXT, ca: TEXT, timeout: TEXT }

const HELP = `Usage: ${COMMAND} exchange --app-id ID [options] [-]

Exchanges an access key for a bearer token at its account server, and prints the token alone on stdout.

${secret.HELP}
Options:
  --app-id ID            the application that the key belongs to
${account.HELP}  --ca FILE              the account server's certificate, or the CA's that signed it (PEM)
  --timeout S            how long it may take, in seconds (default: 10)
  --json                 print one line of JSON: {"accessToken", "expiresAt", "expiresIn", "issuer", "appId"}; what failed is
                         one on stderr, {"error": {"code", "message", "hint", "transient"}}
  --help                 print this
  --version              print the version

Example: TOKEN=$(${COMMAND} exchange --app-id my-app --secret-file key.txt)

Ends with 0 if it printed a token, 1 if there is none, 2 for wrong arguments.
`

function read(values, positionals) {
  secret.refuseArguments(positionals)
  account.read(values)
  return {
    values,
    dash: positionals.length > 0,
    appId: applicationId(values, 'the application that the key belongs to'),
    timeout: milliseconds(values, 'timeout', 10),
    json: values.json === true,
  }
}

async function run({ values, dash, appId, timeout, json }) {
  const { text } = await secret.readSecret(values, { dash })
  const { Credentials } = require('../index.js')
  const { token } = await account.exchange(values, Credentials.accessKey(text, { appId }), { appId, timeout, caOption: 'ca' })
  const { issuer, expiresAt } = Credentials.bearerToken(token).describe()
  const left = expiresAt - Date.now()
  if (json) process.stdout.write(toLine({ accessToken: token, expiresAt, expiresIn: expiresAt && Math.floor(left / 1000), issuer, appId }))
  else {
    process.stderr.write(`A bearer token for ${appId}${left > 0 ? `, which expires in ${since(left)}` : ''}:\n`)
    process.stdout.write(`${token}\n`)
  }
  return STATUS.good
}

module.exports = { HELP, OPTIONS, read, run }
