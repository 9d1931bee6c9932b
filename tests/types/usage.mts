// Right use compiles, wrong use does not: each line below @ts-expect-error must be an error, or tsc reports that it is not.
import diagnosticsChannel from 'node:diagnostics_channel'

import {
  AuthError,
  Client,
  Credentials,
  Sandbox,
  TokenSource,
  bulk,
  version,
  type Application,
  type AuthErrorCode,
  type AuthEvents,
  type BulkResult,
  type CallOptions,
  type ClientOptions,
  type CredentialsDescription,
  type Device,
  type DevicePage,
  type ExchangeOptions,
  type GivenToken,
  type HttpResponse,
  type LorawanDevice,
  type TokenSourceKind,
  type UnaryAnswer,
} from '@thingskey/ttn-auth'

/** Compiles only if both types are the same: an `any` is not the same as anything else. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => {}

export async function right(signal: AbortSignal): Promise<void> {
  same<typeof version, string>(true)
  const credentials = Credentials.parse('ttn-account-v2.x')
  same<typeof credentials, Credentials>(true)
  same<typeof credentials.kind, 'bearer-token' | 'access-key' | 'api-key'>(true)
  same<ReturnType<Credentials['headers']>, { authorization: string }>(true)
  same<ReturnType<Credentials['metadata']>, Record<string, string>>(true)
  same<ReturnType<Credentials['describe']>, CredentialsDescription>(true)
  const expires: Date | undefined = credentials.describe().expiresAt
  void [expires, Credentials.bearerToken('x'), Credentials.accessKey('x'), Credentials.accessKey('x', { appId: 'a' })]

  const options: ClientOptions = { address: 'grpcs://h:1', credentials, ca: '', timeout: 1, connectTimeout: 1, allowInsecure: false }
  const client = new Client(options)
  same<typeof client.address, string>(true)
  same<typeof client.transport, 'grpc' | 'http'>(true)
  const call: CallOptions = { timeout: 5, signal }
  const app = { app_id: 'a' }
  const id = { ...app, dev_id: 'd' }

  const application = await client.getApplication(app, call)
  same<typeof application, Application>(true)
  const device = await client.getDevice(id, { signal })
  same<typeof device, Device>(true)
  same<typeof device.latitude, number | undefined>(true)
  same<typeof device.lorawan_device, LorawanDevice | undefined>(true)
  same<LorawanDevice['last_seen'], string | undefined>(true)
  const page = await client.getDevices(app, { limit: 1, offset: 2, ...call })
  same<typeof page, DevicePage>(true)
  same<typeof page.total, number>(true)
  // What was read can be written.
  const nothing = await client.setDevice({ ...device, description: 'x' })
  same<typeof nothing, void>(true)
  await client.setApplication(application)
  await client.registerApplication(app)
  await client.deleteDevice(id)
  await client.deleteApplication(app)
  const up = await client.dryUplink({ payload: 'AQ==', app, port: 1 })
  same<typeof up.valid, boolean | undefined>(true)
  const down = await client.dryDownlink({ fields: '{}', app })
  same<typeof down.payload, string | undefined>(true)
  await client.simulateUplink({ ...id, payload: 'AQ==', port: 1 })

  const response = await client.request({ path: '/', method: 'POST', query: { a: 1, b: ['x', true], c: undefined }, headers: {}, body: {}, signal })
  same<typeof response, HttpResponse>(true)
  same<typeof response.body, Buffer>(true)
  for (const body of [new Uint8Array(), new ArrayBuffer(1), new DataView(new ArrayBuffer(1)), [1]]) await client.request({ path: '/', body })
  await client.request({ path: '/', query: new URLSearchParams('a=b'), headers: { a: undefined, b: null, c: 1, d: true } })
  await client.request({ path: '/', body: device })
  const answer = await client.unary('/a.B/C', Buffer.of(), { metadata: { a: 'b' }, timeout: 1 })
  same<typeof answer, UnaryAnswer>(true)
  same<ReturnType<Client['close']>, void>(true)

  const found = await Client.discover('a', { discovery: 'grpcs://h:1', transport: 'http', credentials, signal })
  same<typeof found, Client>(true)
  await Client.discover('a')
  await using disposed = client
  void disposed

  const sandbox = await Sandbox.start({ rateLimit: false, grpcPort: 0 })
  same<typeof sandbox, Sandbox>(true)
  const token: string = sandbox.mintToken({ kind: 'expired', appId: 'a', rights: ['devices'], scope: [], expiresIn: -1 })
  const key: string = sandbox.addAccessKey('a', ['devices'])
  void [token, key, sandbox.ca, sandbox.grpcAddress, sandbox.accessKey]
  same<ReturnType<Sandbox['stop']>, Promise<void>>(true)
}

export async function jobs(client: Client, devices: AsyncIterable<Device>, signal: AbortSignal): Promise<void> {
  const read = await bulk(['a', 'b'], (dev_id, index, context) => {
    same<typeof dev_id, string>(true)
    same<typeof index, number>(true)
    return client.getDevice({ app_id: 'a', dev_id }, context)
  })
  same<typeof read, BulkResult<Device>[]>(true)
  for (const result of read) {
    if (result.status === 'fulfilled') same<typeof result.value, Device>(true)
    else same<typeof result.reason, unknown>(true)
  }
  const settled: PromiseSettledResult<Device>[] = read
  void settled
  const onProgress = ({ done, failed, total, index }: { done: number; failed: number; total: number | undefined; index: number }) =>
    void [done, failed, total, index]
  await bulk(devices, (device) => client.setDevice(device), { concurrency: 4, onProgress, signal })
  same<Awaited<ReturnType<typeof bulk<number, string>>>, BulkResult<string>[]>(true)
  // @ts-expect-error a task is needed
  await bulk([1])
  // @ts-expect-error the items are many
  await bulk(5, () => 0)
  // @ts-expect-error a number
  await bulk([1], () => 0, { concurrency: '4' })
  // @ts-expect-error a result may be an error
  read[0]?.value
}

export async function sources(give: () => Promise<GivenToken>): Promise<void> {
  const source = TokenSource.callback(give)
  same<typeof source, TokenSource>(true)
  same<typeof source.kind, TokenSourceKind>(true)
  same<ReturnType<TokenSource['token']>, Promise<string>>(true)
  same<ReturnType<TokenSource['headers']>, Promise<{ authorization: string }>>(true)
  same<ReturnType<TokenSource['metadata']>, Promise<{ token: string }>>(true)
  source.invalidate(await source.token())
  const credentials = Credentials.fromFile('/run/secrets/ttn', { kind: 'access-key', appId: 'a' })
  void [Credentials.fromFile('x'), Credentials.fromEnvironment('TTN_KEY', { appId: 'a' }), Credentials.fromEnvironment('TTN_KEY')]
  const exchange: ExchangeOptions = { accountServer: 'https://a', clientId: 'c', clientSecret: 's', appId: 'a', ca: '' }
  for (const store of [{ file: 'x', key: 'k' }, { redis: 'redis://h', key: 'k', prefix: 'p', ca: '', allowInsecure: false }]) {
    TokenSource.keyExchange({ credentials, store })
  }
  // @ts-expect-error one place
  TokenSource.keyExchange({ credentials, store: { file: 'x', redis: 'redis://h', key: 'k' } })
  // @ts-expect-error what lies in it is sealed
  TokenSource.keyExchange({ credentials, store: { file: 'x' } })
  const exchanged = TokenSource.keyExchange({ credentials, ...exchange })
  const restricted = TokenSource.restricted({ accountServer: 'https://a', from: exchanged, appIds: ['a'], store: { file: 'x', key: 'k' } })
  const onRotate = (next: string): void => void next
  const refreshed = TokenSource.refreshToken({ accountServer: 'https://a', clientId: 'c', clientSecret: 's', refreshToken: 'r', onRotate })
  void TokenSource.restricted({ accountServer: 'https://a', from: credentials, appIds: ['a'] })
  // @ts-expect-error at which account server?
  TokenSource.restricted({ from: refreshed, appIds: ['a'] })
  // @ts-expect-error applications are a list
  TokenSource.restricted({ accountServer: 'https://a', from: restricted, appIds: 'a' })
  // @ts-expect-error a refresh token is needed
  TokenSource.refreshToken({ accountServer: 'https://a' })
  const address = 'grpcs://h:1'
  for (const tokenSource of [source, exchanged, give, () => 'x']) new Client({ address, tokenSource })
  new Client({ address, credentials, exchange, rateLimit: 5, retry: { attempts: 5, baseDelay: 100, maxDelay: 1000 } })
  const client = new Client({ address, credentials, exchange: true, retry: false })
  same<typeof client.tokenSource, TokenSource | null>(true)
  await client.getDevice({ app_id: 'a', dev_id: 'd' }, { idempotent: true })
  diagnosticsChannel.subscribe('ttn-auth:retry', (message) => {
    const { code, attempt, delayMs } = message as AuthEvents['ttn-auth:retry']
    same<typeof code, AuthErrorCode>(true)
    void [attempt, delayMs]
  })
  // @ts-expect-error a source is no text
  new Client({ address, tokenSource: 'x' })
  // @ts-expect-error a misspelt option
  new Client({ address, credentials, exchange: { acountServer: 'https://a' } })
  // @ts-expect-error calls a second are a number
  new Client({ address, rateLimit: false })
  // @ts-expect-error there is no such kind
  Credentials.fromFile('x', { kind: 'key' })
  // @ts-expect-error a key is needed
  TokenSource.keyExchange(exchange)
  void [() => 'x', () => ({ token: 'x', expiresIn: 5 }), async () => Credentials.bearerToken('x')].map((each) => TokenSource.callback(each))
  // @ts-expect-error a function gives them
  TokenSource.callback('x')
  // @ts-expect-error OAuth's names are not ours
  TokenSource.callback(() => ({ access_token: 'x', expires_in: 5 }))
  // @ts-expect-error a source is made by a function of its kind
  new TokenSource()
}

export function errors(error: unknown): string {
  if (!(error instanceof AuthError)) throw error
  same<typeof error.code, AuthErrorCode>(true)
  same<typeof error.transient, boolean>(true)
  same<typeof error.hint, string | undefined>(true)
  same<typeof error.grpcCode, number | undefined>(true)
  same<typeof error.cause, unknown>(true)
  switch (error.code) {
    case 'AUTH_NOT_FOUND':
      return error.message
    // @ts-expect-error there is no such code
    case 'AUTH_NOTFOUND':
      return error.kind
    default:
      return error.toJSON().code
  }
}

export async function wrong(client: Client, sandbox: Sandbox): Promise<void> {
  // @ts-expect-error credentials are not made of text with new
  new Credentials('x')
  // @ts-expect-error nor without
  new Credentials()
  // @ts-expect-error a sandbox is started
  new Sandbox()
  // @ts-expect-error a query is flat
  await client.request({ path: '/', query: { a: { b: 1 } } })
  // @ts-expect-error a header is one value
  await client.request({ path: '/', headers: { a: ['b'] } })
  // @ts-expect-error a secret is text
  Credentials.parse(Buffer.of())
  // @ts-expect-error there is no such option
  Credentials.accessKey('x', { app: 'a' })
  // @ts-expect-error an address is needed
  new Client({})
  // @ts-expect-error options are needed
  new Client()
  // @ts-expect-error credentials are not text
  new Client({ address: 'grpc://h:1', credentials: 'ttn-account-v2.x' })
  // @ts-expect-error a misspelt option
  new Client({ address: 'grpc://h:1', allowinsecure: true })
  // @ts-expect-error read only
  client.address = 'x'
  // @ts-expect-error a device needs both ids
  await client.getDevice({ app_id: 'a' })
  // @ts-expect-error snake_case
  await client.getDevice({ appId: 'a', devId: 'd' })
  // @ts-expect-error a time limit is a number
  await client.getDevice({ app_id: 'a', dev_id: 'd' }, { timeout: '5s' })
  // @ts-expect-error a signal, not its controller
  await client.getDevice({ app_id: 'a', dev_id: 'd' }, { signal: new AbortController() })
  // @ts-expect-error pages are of lists
  await client.getDevice({ app_id: 'a', dev_id: 'd' }, { limit: 1 })
  // @ts-expect-error int64 is text
  await client.setDevice({ app_id: 'a', dev_id: 'd', lorawan_device: { last_seen: 1 } })
  // @ts-expect-error no such field
  await client.setDevice({ app_id: 'a', dev_id: 'd', lorawan_device: { appKey: '' } })
  // @ts-expect-error payloads are base64
  await client.simulateUplink({ app_id: 'a', dev_id: 'd', payload: Buffer.of(1) })
  // @ts-expect-error a path is needed
  await client.request({ method: 'GET' })
  // @ts-expect-error a body is not a number
  await client.request({ path: '/', body: 5 })
  // @ts-expect-error the message is bytes
  await client.unary('/a.B/C', '')
  // @ts-expect-error there are two transports
  await Client.discover('a', { transport: 'mqtt' })
  // @ts-expect-error discover finds the address
  await Client.discover('a', { address: 'grpc://h:1' })
  // @ts-expect-error off is false
  await Sandbox.start({ rateLimit: 'off' })
  // @ts-expect-error no such kind
  sandbox.mintToken({ kind: 'good' })
  // @ts-expect-error rights are a list
  sandbox.addAccessKey('a', 'devices')
}
