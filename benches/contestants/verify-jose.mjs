// jose, with the key imported once.
import { importSPKI, jwtVerify } from 'jose'

import { ISSUER, verifier } from './tokens.mjs'

export const connect = (setup) =>
  verifier(setup, (pem) => {
    const key = importSPKI(pem, 'ES256')
    const verify = async (header) => (await jwtVerify(header.slice(7), await key, { algorithms: ['ES256'], issuer: ISSUER })).payload
    return { verify, issuerOf: ({ iss }) => iss }
  })
