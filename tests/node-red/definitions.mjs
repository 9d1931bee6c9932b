// What the nodes register: in the editor (node/nodes/ttn.html) and in the runtime (node/nodes/ttn.js).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createContext, runInContext } from 'node:vm'

import { root } from '../../scripts/prepare.mjs'
import { nodes } from './support.mjs'

/** Each node's definition in the editor, by its type. Only its functions need an editor, and none is called. */
export function ofEditor() {
  const found = {}
  const html = readFileSync(join(root, 'node', 'nodes', 'ttn.html'), 'utf8')
  const RED = { events: { on() {} }, nodes: { registerType: (type, definition) => (found[type] = definition) } }
  const window = createContext({ RED })
  window.window = window
  for (const [, file] of html.matchAll(/<script src="resources\/@thingskey\/ttn-auth\/(.*?)">/g)) {
    runInContext(readFileSync(join(root, 'resources', file), 'utf8'), window)
  }
  for (const [, script] of html.matchAll(/<script type="text\/javascript">([^]*?)<\/script>/g)) runInContext(script, window)
  return found
}

/** Each node's password credentials in the runtime, by its type. */
export function ofRuntime() {
  const found = {}
  const route = () => {}
  const httpAdmin = { get: route, post: route, put: route, delete: route, use: route }
  nodes({
    nodes: { registerType: (type, constructor, options) => (found[type] = options?.credentials ?? {}) },
    httpAdmin, auth: { needsPermission: () => route }, settings: {}, util: {}, events: { on: route }, hooks: { add: route }, plugins: {},
  })
  return found
}

/** The settings of a node that are text, as a person can enter `${NAME}` into them. */
export const texts = (definition) => Object.entries(definition.defaults).filter(([, { value, type }]) => typeof value === 'string' && !type).map(([name]) => name)
