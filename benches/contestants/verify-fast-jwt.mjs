// fast-jwt, without its cache, or with it if the argument says so.
import { createVerifier } from 'fast-jwt'

import { ISSUER, verifier } from './tokens.mjs'

export const connect = (setup, argument) =>
  verifier(setup, (key) => {
    const verify = createVerifier({ key, algorithms: ['ES256'], allowedIss: ISSUER, cache: argument === 'cache' })
    return { verify: (header) => verify(header.slice(7)), issuerOf: ({ iss }) => iss }
  })
