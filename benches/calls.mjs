// Calls: GetDevice over gRPC and HTTP, in plaintext and over TLS.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { interleave } from './rounds.mjs'

/** Who takes part; the first is us. */
export const CALLERS = {
  grpc: [
    { name: 'us', file: 'us', argument: 'grpc' },
    { name: 'grpcjs', file: 'grpc-js' },
    { name: 'connect', file: 'connect-node' },
    { name: 'tonic', argument: 'grpc' },
  ],
  http: [
    { name: 'us', file: 'us', argument: 'http' },
    { name: 'fetch', file: 'fetch' },
    { name: 'undici', file: 'undici' },
    { name: 'nodehttp', file: 'node-http' },
    { name: 'hyper', argument: 'http' },
  ],
}

/** The server looks for a token and does not verify it; this one is as long as one of the network. */
const TOKEN = `eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.${'eyJpc3MiOiJ0dG4tYWNjb3VudC12MiJ9'.repeat(10)}.${'c2ln'.repeat(21)}c2`

/** What a caller has to know of the server. */
export const setupOf = ({ ca, descriptors, ...ports }, transport, tls, most) => ({
  port: ports[tls ? `${transport}s` : transport], tls, ca, token: TOKEN, descriptors, most,
})

/** Calls a second and CPU of each contestant, by calls in flight. */
export async function measureCalls(programs, server, transport, tls, { inflight, ...settings }) {
  // fetch takes a CA only so.
  const folder = mkdtempSync(join(tmpdir(), 'ttn-bench-'))
  const env = { NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') }
  writeFileSync(env.NODE_EXTRA_CA_CERTS, server.ca)
  const setup = setupOf(server, transport, tls, Math.max(...inflight))
  const kinds = inflight.map((calls) => ({ title: `c${calls}`, inflight: calls }))
  try {
    return await interleave(programs, CALLERS[transport], setup, kinds, { ...settings, env })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
