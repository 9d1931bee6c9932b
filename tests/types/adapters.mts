// The adapters with the types of the libraries they are for: right use compiles, wrong use does not.
import { createClient, type Transport } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import grpc from '@grpc/grpc-js'
import { CallAuth, Client, Credentials, TokenSource, authFetch, type AuthCall } from '@thingskey/ttn-auth'
import { createTransport, interceptor as forConnect } from '@thingskey/ttn-auth/connect'
import { callCredentials, interceptor as forGrpcJs, type GrpcJsOptions } from '@thingskey/ttn-auth/grpc-js'
import { interceptor as forUndici } from '@thingskey/ttn-auth/undici'
import undici7 from 'undici-7'
import undici from 'undici'

/** Compiles only if both types are the same: an `any` is not the same as anything else. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => {}

const credentials = Credentials.parse('a.b')
const source = TokenSource.callback(() => 'x')

export async function decisions(signal: AbortSignal): Promise<void> {
  const auth = new CallAuth({ credentials, rateLimit: 5, retry: { attempts: 2 }, address: 'grpcs://h:1' })
  const call = auth.begin({ timeout: 1, idempotent: true, signal })
  same<typeof call, AuthCall>(true)
  const { headers, metadata, timeLeft } = await call.next()
  same<typeof headers, Record<string, string>>(true)
  same<typeof metadata, Record<string, string>>(true)
  same<typeof timeLeft, number>(true)
  await call.failed({ grpcCode: 16, message: 'x', headers: { a: 'b' } })
  await call.failed({ httpStatus: 401, body: '' })
  call.succeeded()
}

export function grpcJs(auth: CallAuth): void {
  same<ReturnType<typeof callCredentials>, grpc.CallCredentials>(true)
  const interceptors: grpc.Interceptor[] = [credentials, source, auth, { credentials, retry: false }, { auth }].map((each) => forGrpcJs(each))
  const combined = grpc.credentials.combineChannelCredentials(grpc.credentials.createSsl(), callCredentials(credentials))
  new grpc.Client('localhost:1', combined, { interceptors })
  const idempotent: GrpcJsOptions['idempotent'] = (method) => method.endsWith('/Get')
  forGrpcJs({ tokenSource: source, idempotent })
  forGrpcJs({ auth, idempotent: true })
  // @ts-expect-error a secret is no credential
  forGrpcJs('ttn-account-v2.x')
  // @ts-expect-error options of the CallAuth belong to it
  forGrpcJs({ auth, retry: false })
  // @ts-expect-error a misspelt option
  callCredentials({ credential: credentials })
}

export function connect(auth: CallAuth): void {
  createGrpcTransport({ baseUrl: 'https://h', interceptors: [forConnect(credentials), forConnect({ auth })] })
  const client = new Client({ address: 'grpcs://h:1', credentials })
  const transports: Transport[] = [createTransport({ client }), createTransport({ address: 'grpcs://h:1', credentials, interceptors: [forConnect(auth)] })]
  void [transports, createClient]
  createTransport({ client }).close()
  // @ts-expect-error of whom?
  createTransport({ credentials })
  // @ts-expect-error a client has its address
  createTransport({ client, address: 'grpcs://h:1' })
}

export async function http(auth: CallAuth): Promise<void> {
  same<ReturnType<typeof authFetch>, typeof fetch>(true)
  const call: typeof fetch = authFetch({ credentials, fetch })
  const response = await call('https://h', { method: 'POST', body: 'x' })
  same<typeof response, Response>(true)
  void [authFetch(source), authFetch(auth), authFetch({ auth })]
  // @ts-expect-error no function
  authFetch({ credentials, fetch: 'fetch' })
  new undici.Agent().compose(forUndici({ address: 'https://h', credentials }), undici.interceptors.redirect())
  new undici7.Agent().compose(undici7.interceptors.redirect(), forUndici({ address: 'https://h', auth }))
  // @ts-expect-error for which server?
  forUndici({ credentials })
}
