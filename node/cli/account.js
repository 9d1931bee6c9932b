'use strict'
// The account server that exchanges an access key: its options, and what they make of a key.

const { TEXT, UsageError, refused } = require('./arguments.js')
const { late, within } = require('./limit.js')
const { readFile, readOther } = require('./secret.js')

const OPTIONS = { 'account-server': TEXT, 'client-id': TEXT, 'client-secret-file': TEXT, 'client-secret-env': TEXT }

const HELP = `  --account-server URL   the account server's address (default: that of the key's issuer, if it is ttn-account-v2)
  --client-id ID         the OAuth client that some account servers ask for; its secret is in
  --client-secret-file FILE
                         a file, or
  --client-secret-env NAME
                         an environment variable
`

function read(values) {
  const { 'account-server': address, 'client-id': clientId } = values
  // The core takes a client from there, as V2 does.
  if (address !== undefined && /^[^/]*\/\/[^/?#]*@/.test(address)) {
    throw new UsageError('--account-server has a user or password in it', 'Give them with --client-id and --client-secret-env or --client-secret-file.')
  }
  const secrets = ['client-secret-file', 'client-secret-env'].filter((name) => values[name] !== undefined)
  if ((clientId !== undefined) !== (secrets.length === 1)) {
    throw new UsageError('--client-id needs one of --client-secret-file and --client-secret-env, and they need --client-id')
  }
}

/**
 * Exchanges an access key: `{ token, source }`, where `source` remembers the token. Throws for wrong arguments, and for what
 * came of it.
 *
 * @param timeout in ms
 * @param caOption names the file of the account server's certificate
 */
async function exchange(values, credentials, { appId, timeout, caOption }) {
  const { TokenSource } = require('../index.js')
  const clientSecret = values['client-id'] === undefined ? undefined : await readOther(values, 'client-secret')
  const ca = values[caOption] === undefined ? undefined : await readFile(values[caOption], `--${caOption}`)
  const options = { credentials, appId, accountServer: values['account-server'], clientId: values['client-id'], clientSecret, ca }
  let source
  try {
    source = TokenSource.keyExchange(options)
  } catch (error) {
    throw error.code === 'AUTH_INVALID_ARGUMENT' ? refused(error) : itsError(error, caOption)
  }
  try {
    return { token: await within(timeout, source.token(), () => late('token', timeout)), source }
  } catch (error) {
    throw itsError(error, caOption)
  }
}

/** Says whose error it is, and what to do about it where that differs from other servers. */
function itsError({ code, message, transient, hint }, caOption) {
  const { AuthError } = require('../index.js')
  const hints = {
    AUTH_INSECURE_TRANSPORT: 'Use https://.',
    AUTH_TLS: `Give its certificate, or the CA that signed it, with --${caOption} FILE, and check the host name and the clock.`,
  }
  return new AuthError(`account server: ${message}`, { code, transient, hint: hints[code] ?? hint })
}

module.exports = { HELP, OPTIONS, exchange, read }
