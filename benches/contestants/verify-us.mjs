// Us: `Authenticator.authenticate`, with the issuer's public key given.
import { us } from './package.mjs'
import { ISSUER, verifier } from './tokens.mjs'

export const connect = (setup) =>
  verifier(setup, (key) => {
    const authenticator = new (us().Authenticator)({ authServers: { [ISSUER]: { key } } })
    return {
      verify: (authorization) => authenticator.authenticate({ authorization }),
      issuerOf: ({ issuer }) => issuer,
    }
  })
