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
  for (const id in copy) if (Object.hasOwn(copy, id)) copy[id] = copy[id].slice()
  return copy
}

/** Shares nothing with them: whoever gets it may change it. One by one, in their order, is the fastest way. */
function copyClaims(claims) {
  const copy = { kind: claims.kind, issuer: claims.issuer, subject: claims.subject }
  if (claims.expiresAt !== undefined) copy.expiresAt = new Date(claims.expiresAt)
  if (claims.issuedAt !== undefined) copy.issuedAt = new Date(claims.issuedAt)
  if (claims.notBefore !== undefined) copy.notBefore = new Date(claims.notBefore)
  copy.scope = claims.scope.slice()
  copy.apps = copyRights(claims.apps)
  copy.gateways = copyRights(claims.gateways)
  copy.components = copyRights(claims.components)
  if (claims.type !== undefined) copy.type = claims.type
  if (claims.client !== undefined) copy.client = claims.client
  if (claims.username !== undefined) copy.username = claims.username
  if (claims.email !== undefined) copy.email = claims.email
  if (claims.name !== undefined) copy.name = { ...claims.name }
  return copy
}

module.exports = { copyClaims, readClaims }
