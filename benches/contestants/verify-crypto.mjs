// node:crypto by hand: the signature, and of the claims what has to be looked at.
import { createPublicKey, verify } from 'node:crypto'

import { ISSUER, verifier } from './tokens.mjs'

const parse = (part) => JSON.parse(Buffer.from(part, 'base64url').toString())

export const connect = (setup) =>
  verifier(setup, (pem) => {
    const key = { key: createPublicKey(pem), dsaEncoding: 'ieee-p1363' }
    const check = (header) => {
      const [head, body, signature] = header.slice(7).split('.')
      if (parse(head).alg !== 'ES256') throw new Error('another algorithm')
      if (!verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))) throw new Error('forged')
      const claims = parse(body)
      const now = Date.now() / 1000
      if (claims.iss !== ISSUER || now >= claims.exp || now < claims.nbf) throw new Error('not valid')
      return claims
    }
    return { verify: check, issuerOf: ({ iss }) => iss }
  })
