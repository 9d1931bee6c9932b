'use strict'
// A caller's claims, as objects: made of the addon's flat text (src/claims.rs), and copied.

const { flat } = require('./flat.js')

/** The reader for one loaded addon: of a text, claims whose times are milliseconds. */
function claimsReader(native) {
  const read = flat(native)
  return (text) => read(text, 1)[0]
}

/** The same with dates, as callers get them. */
function dated(claims) {
  if (claims.expiresAt !== undefined) claims.expiresAt = new Date(claims.expiresAt)
  if (claims.issuedAt !== undefined) claims.issuedAt = new Date(claims.issuedAt)
  if (claims.notBefore !== undefined) claims.notBefore = new Date(claims.notBefore)
  return claims
}

/** Spread first: what is there already can be set, whatever its name is. */
function copyRights(rights) {
  const copy = { ...rights }
  for (const id in copy) if (Object.hasOwn(copy, id)) copy[id] = copy[id].slice()
  return copy
}

/** A dated copy. It shares nothing with them: whoever gets it may change it. One by one, in their order, is the fastest way. */
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

module.exports = { claimsReader, copyClaims, dated }
