'use strict'
// A caller's claims, as objects: made of the addon's text (src/claims.rs), and copied.

/** JSON.parse makes `__proto__` a name like any other. */
function readClaims(text) {
  const claims = JSON.parse(text)
  for (const name of ['expiresAt', 'issuedAt', 'notBefore']) {
    if (claims[name] !== undefined) claims[name] = new Date(claims[name])
  }
  return claims
}

/** Spread first: what is there already can be set, whatever its name is. */
function copyRights(rights) {
  const copy = { ...rights }
  for (const id of Object.keys(copy)) copy[id] = copy[id].slice()
  return copy
}

/** Shares nothing with them: whoever gets it may change it. */
function copyClaims(claims) {
  const copy = { ...claims }
  if (copy.expiresAt !== undefined) copy.expiresAt = new Date(copy.expiresAt.getTime())
  if (copy.issuedAt !== undefined) copy.issuedAt = new Date(copy.issuedAt.getTime())
  if (copy.notBefore !== undefined) copy.notBefore = new Date(copy.notBefore.getTime())
  if (copy.name !== undefined) copy.name = { ...copy.name }
  copy.scope = copy.scope.slice()
  copy.apps = copyRights(copy.apps)
  copy.gateways = copyRights(copy.gateways)
  copy.components = copyRights(copy.components)
  return copy
}

module.exports = { copyClaims, readClaims }
