'use strict'
// What looks wrong with a credential. No finding repeats any of it but the issuer.

const { Credentials } = require('../index.js')
const { worded } = require('./output.js')
const { isVariable } = require('./secret.js')
const { since } = require('./span.js')
const { contentOf, unreadable } = require('./token.js')

/** Whoever presents it so is refused. */
const wrong = (code, message, hint) => ({ level: 'wrong', code, message, hint })
/** It may work all the same. */
const note = (message, hint) => ({ level: 'note', message, hint })

const invalid = (message, hint) => wrong('AUTH_INVALID_CREDENTIALS', message, hint)
const invalidToken = (message, hint) => wrong('AUTH_INVALID_TOKEN', message, hint)

const AGAIN = 'Copy the bearer token or key again, without anything around it.'
const WHOLE = 'Copy it again, from its first character to its last.'
const ANOTHER = 'Get a token from the account server of this network.'
const CLOCKS = 'Check the clock of the machine that issued the token, and of this one.'

const BLANKS = note(
  'there are blanks or line breaks around it',
  'Files and variables are read without them; elsewhere they may be sent along, and refused.',
)
const NOT_FILLED = invalid(
  'this is a variable\'s name, not its value',
  'Set the variable where the program reads it; a shell replaces none between single quotes.',
)
const NO_ISSUER = note(
  'it has no issuer in front, such as ttn-account-v2 and a dot',
  'A server tries its own auth server with it; to exchange it, name the account server. Copy the key again if it had one.',
)
const NO_EXPIRY = note(
  'it has no expiry (exp): it is good for ever, or not at all',
  'V2 Handlers take it; servers that are stricter, such as this package\'s, do not.',
)
const NO_DATE = note('its expiry (exp) is no date', 'It has to be in seconds since 1970; milliseconds are a thousand times as many.')

const SESSION = note(
  'it is the token of somebody\'s session: it has all rights of that user, and ends with the session',
  'Create an API key in the Console, with the rights that are needed.',
)

/** What makes credentials of a kind. */
const MAKES = { 'bearer-token': 'bearerToken', 'access-key': 'accessKey', 'api-key': 'apiKey' }

const QUOTES = '"\'`“”‘’'

/** What gets around a credential on its way, and how to leave it out. */
const AROUND = [
  [(text) => text.trim(), BLANKS],
  [(text) => within(text, QUOTES), invalid('there are quotes around it', AGAIN)],
  [(text) => text.replace(/^(?:authorization|token|key)\s*:/i, ''), invalid('a header\'s name is in front of it', AGAIN)],
  [(text) => text.replace(/^bearer\s+/i, ''), invalid('"Bearer " is in front of it', AGAIN)],
  [(text) => text.replace(/^key\s+/i, ''), invalid('"Key " is in front of it', AGAIN)],
]

/** What is inside of these characters. A pattern would take hours for the longest text. */
function within(text, characters) {
  let [start, end] = [0, text.length]
  while (start < end && characters.includes(text[start])) start += 1
  while (start < end && characters.includes(text[end - 1])) end -= 1
  return text.slice(start, end)
}

/** How deep a credential may be wrapped. What is wrapped deeper is none. */
const LAYERS = 5

/** The credential alone, and what was around it. */
function unwrapped(given) {
  // What a shell's echo and an editor put at the end is not worth a word.
  let text = given.replace(/\r?\n$/, '')
  const findings = new Set()
  for (let layer = 0; layer < LAYERS; layer += 1) {
    for (const [inside, finding] of AROUND) {
      if (inside(text) === text) continue
      findings.add(finding)
      text = inside(text)
    }
  }
  return { text, findings: [...findings] }
}

/** An id of V2. Only what looks like one is shown as the issuer of a key: of a text that is none it could be the secret. */
const ID = /^[a-z0-9](?:[_-]?[a-z0-9]){0,63}$/

/**
 * What a credential says of itself, and what looks wrong: `{ says, findings }`. Nothing of it is verified.
 *
 * @param kind 'bearer-token', 'access-key' or 'api-key'; otherwise as its shape tells
 */
async function examine(given, { kind, now = Date.now() } = {}) {
  const { text, findings } = unwrapped(given)
  const found = (...more) => ({ says: {}, findings: [...findings, ...more] })
  if (isVariable(text)) return found(NOT_FILLED)
  // A token begins so even when its end is missing, and the core takes it for a key then.
  const assumed = kind ?? (/^eyJ/.test(text) ? 'bearer-token' : undefined)
  const parts = text.split('.').length
  if (assumed === 'bearer-token' && /^eyJ/.test(text) && parts !== 3) {
    const lacks = parts < 3 ? 'its end is missing' : 'something follows it'
    return found(invalidToken(`this is a bearer token of ${parts} part${parts === 1 ? '' : 's'} instead of 3: ${lacks}`, WHOLE))
  }
  let credentials
  try {
    credentials = assumed === undefined ? Credentials.parse(text) : Credentials[MAKES[assumed]](text)
  } catch ({ code, message, hint }) {
    return found(wrong(code, worded(message), hint))
  }
  const { says, findings: more } = await about(credentials, text, now)
  return { says, findings: [...findings, ...more] }
}

async function about(credentials, text, now) {
  const described = credentials.describe()
  // What The Things Stack issues says nothing more: its server knows.
  if (described.network) return { says: described, findings: described.type === 'session-token' ? [SESSION] : [] }
  return credentials.kind === 'access-key' ? aboutKey(credentials) : aboutToken(credentials, text, now)
}

function aboutKey(credentials) {
  const { kind, issuer } = credentials.describe()
  if (issuer === undefined) return { says: { kind }, findings: [NO_ISSUER] }
  if (ID.test(issuer)) return { says: { kind, issuer }, findings: [] }
  return { says: { kind }, findings: [invalid('what stands before its dot is no issuer\'s name, such as ttn-account-v2', AGAIN)] }
}

async function aboutToken(credentials, text, now) {
  const reason = await unreadable(text)
  if (reason !== undefined) return { says: { kind: 'bearer-token' }, findings: [invalidToken(`no server can read it: ${reason}`, WHOLE)] }
  const { header, claims } = contentOf(text)
  const dated = (seconds) => (typeof seconds === 'number' && !Number.isNaN(new Date(seconds * 1000).getTime()) ? new Date(seconds * 1000) : undefined)
  const textOf = (value) => (typeof value === 'string' && value !== '' ? value : undefined)
  const { expiresAt, ...described } = credentials.describe()
  const says = {
    ...described,
    algorithm: textOf(header.alg),
    type: textOf(claims.type),
    client: textOf(claims.client),
    issuedAt: dated(claims.iat),
    notBefore: dated(claims.nbf),
    expiresAt: dated(claims.exp),
  }
  return { says, findings: [...signature(header.alg, text), ...origin(says), ...times(claims, says, now), ...rights(says)] }
}

/** V2's account servers sign with one of these; how long the signature is, in characters: 64 bytes, 2048 to 8192 bits. */
const SIGNATURES = { ES256: [86, 86], RS256: [342, 1366] }

function signature(algorithm, text) {
  if (algorithm === 'none') return [invalidToken('it is not signed (algorithm none): anybody could have written it', ANOTHER)]
  if (!Object.hasOwn(SIGNATURES, algorithm)) return [invalidToken(`it is signed with ${algorithm}; V2 networks sign with ES256 or RS256`, ANOTHER)]
  const [, , part] = text.split('.')
  const [least, most] = SIGNATURES[algorithm]
  if (part === '') return [invalidToken('its signature is missing', WHOLE)]
  if (!/^[\w-]+$/.test(part)) return [invalidToken('its signature is damaged: it is no base64url', WHOLE)]
  if (part.length < least) return [invalidToken('its signature is cut off', WHOLE)]
  if (part.length > most) return [invalidToken('its signature has something behind it', WHOLE)]
  return []
}

const origin = ({ issuer }) => (issuer ? [] : [wrong('AUTH_UNKNOWN_ISSUER', 'it names no issuer (iss)', ANOTHER)])

/** As a server has it: a token is good through the whole second that `exp` names. */
function times({ exp }, { issuedAt, notBefore, expiresAt }, now) {
  const second = Math.floor(now / 1000) * 1000
  const findings = []
  if (exp === undefined || exp === null) findings.push(NO_EXPIRY)
  else if (!expiresAt) findings.push(NO_DATE)
  else if (expiresAt < second) {
    findings.push(wrong('AUTH_TOKEN_EXPIRED', `it expired ${since(now - expiresAt)} ago`, 'Get a new bearer token, or use a key.'))
  }
  if (notBefore > now) findings.push(wrong('AUTH_TOKEN_NOT_YET_VALID', `it is not valid for another ${since(notBefore - now)}`, CLOCKS))
  else if (issuedAt > now) findings.push(note(`it was issued ${since(issuedAt - now)} from now`, CLOCKS))
  return findings
}

/** An application's rights count only with its scope. */
function rights({ apps = {}, scope = [] }) {
  const ids = Object.keys(apps)
  const without = ids.filter((id) => !scope.includes(`apps:${id}`))
  if (without.length === 0) return []
  const message = `it has rights, but no scope, for ${without.join(', ')}: they do not count`
  const hint = 'Get a token with the scope apps:<id>.'
  return [without.length < ids.length ? note(message, hint) : wrong('AUTH_PERMISSION_DENIED', message, hint)]
}

module.exports = { examine }
