// undici's `request`, the fastest that it has, with a connection for each call in flight.
import { Pool } from 'undici'

import { caller, PATH } from './calls.mjs'

export function connect({ port, tls, ca, token, most }) {
  const pool = new Pool(`${tls ? 'https' : 'http'}://127.0.0.1:${port}`, { connections: most, connect: tls ? { ca } : undefined })
  const headers = { authorization: `Bearer ${token}` }
  return caller(async () => {
    const { statusCode, body } = await pool.request({ method: 'GET', path: PATH, headers })
    if (statusCode !== 200) throw new Error(`${statusCode}`)
    return body.json()
  })
}
