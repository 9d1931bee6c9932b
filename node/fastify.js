'use strict'
// A guard for Fastify 5: a plugin that guards the routes whose configuration has `ttn`, and every other route too if it is
// given a rule of its own.

const { answerOf, asError, authenticateRequest, readRule } = require('./guard.js')

/** In place of a rule that is undefined or null: no rule at all, which is refused as any other that is none. */
const NO_RULE = 'nothing'

const defined = (rule) => Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== undefined))

/** `authenticator.fastify(options)`. */
function fastify(authenticator, native, options) {
  const everywhere = options === undefined || options === null ? undefined : readRule(native, options)
  const rules = new WeakMap()

  /** The rule of a route; none where everyone is let in. */
  function ruleOf(config) {
    if (!config || !Object.hasOwn(config, 'ttn')) return everywhere
    const own = config.ttn
    if (own === false) return undefined
    if (typeof own !== 'object' || own === null) return readRule(native, own ?? NO_RULE)
    // What a route does not say, the plugin's rule says: it adds to it.
    if (!rules.has(own)) rules.set(own, { ...everywhere, ...defined(readRule(native, own)) })
    return rules.get(own)
  }

  async function guard(rule, request, reply) {
    try {
      request.auth = await authenticateRequest(authenticator, native, request.raw, request, rule)
    } catch (thrown) {
      const answer = answerOf(thrown)
      if (!answer) throw asError(thrown)
      return reply.code(answer.status).headers(answer.headers).send(answer.body)
    }
  }

  /** At once, before a body is read for a stranger; where a function tells the application, once the body is there for it. */
  const at = (when) => async (request, reply) => {
    const rule = ruleOf(request.routeOptions.config)
    if (rule && (typeof rule.appId === 'function' ? 'preHandler' : 'onRequest') === when) return guard(rule, request, reply)
  }

  function plugin(instance, _options, done) {
    if (!instance.hasRequestDecorator('auth')) instance.decorateRequest('auth', null)
    // A wrong rule is found when its route is added, if the plugin is there by then; if not, nobody gets in.
    instance.addHook('onRoute', ({ config }) => void ruleOf(config))
    for (const when of ['onRequest', 'preHandler']) instance.addHook(when, at(when))
    done()
  }
  // For the instance that registers it, not for a child of its own.
  plugin[Symbol.for('skip-override')] = true
  plugin[Symbol.for('fastify.display-name')] = 'ttn-auth'
  plugin[Symbol.for('plugin-meta')] = { name: '@thingskey/ttn-auth', fastify: '5.x' }
  return plugin
}

module.exports = { fastify }
