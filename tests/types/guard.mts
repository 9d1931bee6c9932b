// Guards where they are used: with the types of Express, Fastify and grpc-js themselves, none of which the package needs.
import { createServer } from 'node:http'

import { Server, type ServerInterceptor, type ServerUnaryCall } from '@grpc/grpc-js'
import express, { type Request, type RequestHandler, type Response } from 'express'
import fastify, { type FastifyRequest } from 'fastify'

import {
  AuthError,
  Authenticator,
  type AuthEvents,
  type AuthenticateOptions,
  type Authenticated,
  type AuthenticatorOptions,
  type CallerAnswer,
  type Claims,
  type GuardRule,
  type Right,
} from '@thingskey/ttn-auth'

/** Compiles only if both types are the same: an `any` is not the same as anything else. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => {}

const options: AuthenticatorOptions = {
  authServers: {
    'ttn-account-v2': 'https://account.thethingsnetwork.org',
    other: { address: 'https://a', ca: '', clientId: 'c', clientSecret: 's', key: 'PEM', timeout: 8000 },
  },
  keyDirectory: 'keys',
  maxKeyAge: 1,
  leeway: 0,
  maxTokenSize: 65_536,
  allowMissingExpiry: false,
  compat: 'v2',
  timeout: 1,
  maxExchanges: 1,
  answers: 'unauthenticated',
}
export const authenticator = new Authenticator(options)
same<typeof authenticator.issuers, string[]>(true)

export async function direct(request: globalThis.Request): Promise<Claims> {
  const asked: AuthenticateOptions = { carrier: 'header', appId: 'a', right: 'messages:up:r' }
  const claims = await authenticator.authenticate(request.headers, asked)
  same<typeof claims, Claims>(true)
  same<typeof claims.kind, 'bearer-token' | 'access-key' | 'api-key'>(true)
  same<typeof claims.expiresAt, Date | undefined>(true)
  same<typeof claims.apps, Record<string, string[]>>(true)
  same<ReturnType<typeof authenticator.allows>, boolean>(true)
  authenticator.allows({ scope: claims.scope, apps: claims.apps }, 'a', 'devices')
  await authenticator.authenticate({ authorization: 'x', other: ['y'], none: undefined })
  await authenticator.authenticate(['Authorization', 'x'])
  await authenticator.authenticate([['Authorization', 'x']])
  await authenticator.authenticate(new Map([['token', 'x']]), { carrier: 'metadata' })
  await authenticator.reload()
  return Authenticator.readUnverified('x')
}

createServer(async (request, response) => {
  await authenticator.authenticate(request.headers)
  await authenticator.authenticate(request.rawHeaders)
  authenticator.express({ right: 'devices' })(request, response, (error) => void error?.message)
})

export function told(error: AuthError): number {
  same<typeof error.answer, CallerAnswer | undefined>(true)
  same<CallerAnswer['headers'], Record<string, string>>(true)
  return error.answer?.status ?? error.answer?.grpcCode ?? 500
}

const app = express()
app.use(authenticator.express())
app.use('/applications/:app_id', authenticator.express({ right: 'devices' }))
app.get('/a/:app_id', authenticator.express({ right: 'devices' }), (request: Request & Partial<Authenticated>, response: Response) => {
  response.json(request.auth?.subject)
})
app.get('/b/:id', authenticator.express({ appId: (request: Request) => request.query.app?.toString(), right: 'settings' }))
const rule: GuardRule<Request<{ id: string }>> = { appId: async ({ params }) => params.id }
const handler: RequestHandler<{ id: string }> = authenticator.express(rule)
app.get('/c/:id', handler)
// The request's type is that of where the guard stands.
export const inferred: RequestHandler = authenticator.express({ appId: (request) => request.query.app as string })

const server = fastify()
await server.register(authenticator.fastify())
server.register(authenticator.fastify({ right: 'devices' }), { prefix: '/x' })
server.register(authenticator.fastify({ appId: (request: FastifyRequest<{ Querystring: { app: string } }>) => request.query.app }))
server.get('/', { config: { ttn: { right: 'devices' satisfies Right } } as object }, async (request) => {
  const { auth } = request as typeof request & Authenticated
  same<typeof auth, Claims>(true)
  return auth.subject
})

interface DeviceIdentifier {
  app_id: string
}
const guard: ServerInterceptor = authenticator.grpc({ rights: { '/a.B/C': 'devices', '/a.B/D': null, '/a.B/E': true } })
export const rpc = new Server({
  interceptors: [
    guard,
    authenticator.grpc({ rights: {}, appId: 'a' }),
    authenticator.grpc({ rights: {}, appId: (message: DeviceIdentifier, method) => (method === '/a.B/C' ? message.app_id : undefined) }),
  ],
})
export const handle = (call: ServerUnaryCall<DeviceIdentifier, object>): string | undefined => {
  const claims = authenticator.claims(call)
  same<typeof claims, Claims | undefined>(true)
  return claims?.subject
}
export async function ofMetadata({ metadata }: ServerUnaryCall<DeviceIdentifier, object>): Promise<Claims> {
  return authenticator.authenticate(metadata, { carrier: 'metadata', appId: 'a' })
}

export const keysEvent = (event: AuthEvents['ttn-auth:keys']): string => `${event.issuer} ${event.operation} ${event.outcome} ${event.error ?? ''}`

export function wrong(claims: Claims): void {
  // @ts-expect-error options are needed
  new Authenticator()
  // @ts-expect-error whose tokens?
  new Authenticator({})
  // @ts-expect-error a misspelt option
  new Authenticator({ ...options, timeOut: 1 })
  // @ts-expect-error a misspelt option of a server
  new Authenticator({ authServers: { a: { adress: 'https://a' } } })
  // @ts-expect-error there are three ways
  new Authenticator({ authServers: {}, answers: 'http' })
  // @ts-expect-error there is one
  new Authenticator({ authServers: {}, compat: 'v3' })
  // @ts-expect-error there is no such right
  authenticator.express({ right: 'device' })
  // @ts-expect-error a misspelt option
  authenticator.express({ rights: 'devices' })
  // @ts-expect-error an application is text
  authenticator.express({ appId: () => 5 })
  // @ts-expect-error there is no such right
  authenticator.fastify({ right: 'read' })
  // @ts-expect-error methods are needed
  authenticator.grpc({})
  // @ts-expect-error open is null
  authenticator.grpc({ rights: { '/a.B/C': false } })
  // @ts-expect-error headers are not text
  void authenticator.authenticate('Bearer x')
  // @ts-expect-error nor numbers
  void authenticator.authenticate({ authorization: 5 })
  // @ts-expect-error there are two carriers
  void authenticator.authenticate({}, { carrier: 'cookie' })
  // @ts-expect-error snake_case is the wire's
  void authenticator.authenticate({}, { app_id: 'a' })
  // @ts-expect-error there is no such right
  authenticator.allows(claims, 'a', 'device')
  // @ts-expect-error it has a name that says so
  Authenticator.read('x')
  // @ts-expect-error a call, not its request
  authenticator.claims({ request: {} })
}
