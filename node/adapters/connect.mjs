// The same for ESM, whose types of Connect are others than CommonJS's: connect.d.mts has the text of connect.d.ts.
import adapter from './connect.js'

export const { createTransport, interceptor } = adapter
