// Verifying ES256 tokens: ones that were never seen, and one that was.
import { generateKeyPairSync } from 'node:crypto'

import { interleave } from './rounds.mjs'

const CONTESTANTS = [
  { name: 'us', file: 'verify-us' },
  { name: 'fastjwt', file: 'verify-fast-jwt' },
  { name: 'fastjwt_cache', file: 'verify-fast-jwt', argument: 'cache' },
  { name: 'jose', file: 'verify-jose' },
  { name: 'nodecrypto', file: 'verify-crypto' },
]

/** What is measured: `cold` tokens are others each time, more than anybody remembers. */
const ROUNDS = [
  { title: 'cold', kind: 'cold', inflight: 64 },
  { title: 'cold_serial', kind: 'cold', inflight: 1 },
  { title: 'cached', kind: 'cached', inflight: 1 },
  { title: 'cached_64', kind: 'cached', inflight: 64 },
]

/** The same as the first, on one core. */
const ONE_CORE = { title: 'cold_one_core', kind: 'cold', inflight: 64 }

/** Verifications a second and CPU of each, of each contestant. */
export async function measureVerify(programs, { tokens, ...settings }) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const setup = { key: privateKey.export({ type: 'pkcs8', format: 'pem' }), count: tokens }
  const free = await interleave(programs, CONTESTANTS, setup, ROUNDS, { ...settings, alone: true })
  return { ...free, ...(await interleave(programs, CONTESTANTS, setup, [ONE_CORE], settings)) }
}
