'use strict'
// A caller's claims, as objects: made of the addon's flat text (src/claims.rs), which has them as a list.

const { flat } = require('./flat.js')

/** The reader for one loaded addon: of a text, the list of claims. */
function claimsReader(native) {
  const read = flat(native)
  return (text) => read(text, 1)[0]
}

/** Where the list has what. What is absent, and only that, is null. */
const [KIND, ISSUER, SUBJECT, EXPIRES_AT, ISSUED_AT, NOT_BEFORE, SCOPE, APPS, GATEWAYS, COMPONENTS, TYPE, CLIENT, USERNAME, EMAIL, NAME] = Array(15).keys()

/** Spread first: what is there already can be set, whatever its name is. */
function copyRights(rights) {
  if (rights === null) return {}
  const copy = { ...rights }
  for (const id in copy) if (Object.hasOwn(copy, id)) copy[id] = copy[id].slice()
  return copy
}

/** Claims of their list, with which they share nothing: whoever gets them may change them. One by one is the fastest way. */
function claimsOf(list) {
  const claims = { kind: list[KIND], issuer: list[ISSUER], subject: list[SUBJECT] }
  if (list[EXPIRES_AT] !== null) claims.expiresAt = new Date(list[EXPIRES_AT])
  if (list[ISSUED_AT] !== null) claims.issuedAt = new Date(list[ISSUED_AT])
  if (list[NOT_BEFORE] !== null) claims.notBefore = new Date(list[NOT_BEFORE])
  claims.scope = list[SCOPE].slice()
  claims.apps = copyRights(list[APPS])
  claims.gateways = copyRights(list[GATEWAYS])
  claims.components = copyRights(list[COMPONENTS])
  if (list[TYPE] !== null) claims.type = list[TYPE]
  if (list[CLIENT] !== null) claims.client = list[CLIENT]
  if (list[USERNAME] !== null) claims.username = list[USERNAME]
  if (list[EMAIL] !== null) claims.email = list[EMAIL]
  if (list[NAME] !== null) claims.name = { first: list[NAME][0], last: list[NAME][1] }
  return claims
}

module.exports = { claimsOf, claimsReader }
