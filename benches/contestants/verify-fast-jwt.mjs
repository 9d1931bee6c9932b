// fast-jwt, without its cache, or with it if the argument says so.
import { createVerifier } from 'fast-jwt'

import { ISSUER, verifier } from './tokens.mjs'

export const connect = (setup, argument) =>
  verifier(setup, (key) => ({
    verify: createVerifier({ key, algorithms: ['ES256'], allowedIss: ISSUER, cache: argument === 'cache' }),
    issuerOf: ({ iss }) => iss,
  }))
