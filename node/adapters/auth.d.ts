/** What the adapters are given. */
import type { CallAuth, CallAuthOptions, Credentials, TokenSource } from '../../index.js'

/** The adapter's own options, with those of a `CallAuth`, or a `CallAuth` that is shared with other clients. */
export type AdapterOptions<Own> = (Own & CallAuthOptions & { auth?: undefined }) | (Own & { auth: CallAuth })

/** Credentials, a source of tokens, a `CallAuth`, or options. */
export type AdapterAuth<Own = {}> = Credentials | TokenSource | CallAuth | AdapterOptions<Own>
