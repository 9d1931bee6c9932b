'use strict'
// A bearer token taken apart for a person. Whether a server could read it the core says; here is why it could not.

const { generateKeyPairSync, randomUUID } = require('node:crypto')

const { Authenticator } = require('../index.js')

/** How the core begins what it says of tokens, which is V2's way. */
const PREFIX = /^permission denied: unable to parse token: /

/** The parts that hold JSON. */
const [HEADER, CLAIMS] = ['header', 'claims']

/**
 * Asks the core to read a token as a server does. It knows no issuer but one that no token has, so that it stops where a key
 * would be asked for: nothing is verified, and nothing sent.
 */
class Reader {
  #authenticator

  constructor() {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = publicKey.export({ type: 'spki', format: 'pem' })
    this.#authenticator = new Authenticator({ authServers: { [randomUUID()]: { key } } })
  }

  /** The core's words on why it cannot read the token; undefined if it can. */
  async refusal(token) {
    try {
      await this.#authenticator.authenticate({ authorization: `Bearer ${token}` })
    } catch (error) {
      return error.code === 'AUTH_UNKNOWN_ISSUER' ? undefined : error.message.replace(PREFIX, '')
    }
    throw new Error('a token of no issuer was taken')
  }
}

const encode = (json) => Buffer.from(json).toString('base64url')

/** A part's JSON, or in words why there is none. */
function jsonOf(part) {
  if (!/^[\w-]*$/.test(part) || part.length % 4 === 1) return { wrong: 'is damaged: it is no base64url' }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url'))
    const value = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { text, value }
    return { wrong: 'is no JSON object' }
  } catch {
    return { wrong: 'is damaged: it is no JSON' }
  }
}

/** What a token of three parts says, as it says it, if it can be read: `{ header, claims }`. */
function contentOf(token) {
  const [header, claims] = token.split('.').map((part) => jsonOf(part).value ?? {})
  return { header, claims }
}

/** Why a server could not read a token, in words; undefined if it could. */
async function unreadable(token) {
  const reader = new Reader()
  const refusal = await reader.refusal(token)
  if (refusal === undefined) return undefined
  const [header, claims] = token.split('.').map(jsonOf)
  for (const [name, { wrong }] of [[HEADER, header], [CLAIMS, claims]]) if (wrong) return `its ${name} part ${wrong}`
  // Put where the core takes any JSON in which no name occurs twice.
  const twice = async ({ text }) => (await reader.refusal(`${encode(`{"alg":"ES256","x":${text}}`)}.e30.`)) !== undefined
  for (const [name, part] of [[HEADER, header], [CLAIMS, claims]]) {
    if (await twice(part)) return `a name occurs twice in its ${name}, or a number is out of range: others could read it differently`
  }
  const odd = []
  for (const [name, value] of Object.entries(claims.value).slice(0, 100)) {
    if (await reader.refusal(`${encode('{"alg":"ES256"}')}.${encode(JSON.stringify({ [name]: value }))}.`)) odd.push(name)
  }
  return odd.length > 0 ? `claims that are not of the expected form: ${odd.join(', ')}` : refusal
}

module.exports = { contentOf, unreadable }
