// Node's fetch.
import { caller, PATH } from './calls.mjs'

export function connect({ port, tls, token }) {
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}${PATH}`
  // Its CA comes by NODE_EXTRA_CA_CERTS: fetch takes none.
  const headers = { authorization: `Bearer ${token}` }
  return caller(async () => {
    const answer = await fetch(url, { headers })
    if (!answer.ok) throw new Error(`${answer.status}`)
    return answer.json()
  })
}
