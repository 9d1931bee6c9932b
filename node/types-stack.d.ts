
// The Things Stack (V3). Requests and answers are its documented JSON: snake_case, EUIs as upper-case hex, times as RFC 3339,
// enums by name. What is not here is reached by `request`, `unary` and `stream`.

/** What The Things Stack says of a credential. */
export interface AuthInfo {
  kind: 'api-key' | 'oauth-access-token' | 'user-session' | 'gateway-token'
  /** What the server knows it by: no secret. */
  id?: string
  /** An API key's name. */
  name?: string
  /** Whose it is. A device's id has its application's in front: `app1.dev1`. */
  entity?: { kind: 'application' | 'client' | 'end-device' | 'gateway' | 'organization' | 'user'; id: string }
  /** What it may do with that entity, such as `RIGHT_APPLICATION_DEVICES_READ`: sorted, with those that are implied. */
  rights: string[]
  /** What an administrator may do everywhere. */
  universalRights: string[]
  isAdmin: boolean
  createdAt?: Date
  /** When it ends, if it does. */
  expiresAt?: Date
}

/** Which fields an answer has, or which are changed: `'name,description'`, a list, or as the API has it. */
export type FieldMask = string | readonly string[] | { paths: readonly string[] }

export interface StackApplicationIdentifiers {
  application_id: string
}

/** One of them is set. */
export interface StackOwnerIdentifiers {
  user_ids?: { user_id: string; email?: string }
  organization_ids?: { organization_id: string }
}

/** One of them is set. */
export interface StackEntityIdentifiers extends StackOwnerIdentifiers {
  application_ids?: StackApplicationIdentifiers
  client_ids?: { client_id: string }
  device_ids?: EndDeviceIdentifiers
  gateway_ids?: { gateway_id: string; eui?: string }
}

/** An application of The Things Stack. */
export interface StackApplication {
  ids: StackApplicationIdentifiers
  created_at?: string
  updated_at?: string
  deleted_at?: string
  name?: string
  description?: string
  attributes?: Record<string, string>
  dev_eui_counter?: number
  administrative_contact?: StackOwnerIdentifiers
  technical_contact?: StackOwnerIdentifiers
  /** `host:port`, where its devices are registered; so the next two. */
  network_server_address?: string
  application_server_address?: string
  join_server_address?: string
}

export interface EndDeviceIdentifiers {
  device_id: string
  application_ids: StackApplicationIdentifiers
  /** 8 bytes, as hex digits; so `join_eui`. */
  dev_eui?: string
  join_eui?: string
  /** 4 bytes, as hex digits. */
  dev_addr?: string
}

/** An end device of The Things Stack, as its Identity Server has it. */
export interface EndDevice {
  ids: EndDeviceIdentifiers
  created_at?: string
  updated_at?: string
  activated_at?: string
  last_seen_at?: string
  name?: string
  description?: string
  attributes?: Record<string, string>
  version_ids?: {
    brand_id?: string
    model_id?: string
    hardware_version?: string
    firmware_version?: string
    band_id?: string
  }
  /** `host:port`, where it is registered; so the next two. */
  network_server_address?: string
  application_server_address?: string
  join_server_address?: string
  locations?: Record<string, { latitude?: number; longitude?: number; altitude?: number; accuracy?: number; source?: string }>
  serial_number?: string
  /** What else the API has. */
  [field: string]: unknown
}

/** Which of a list, in which order. */
export interface StackListRequest {
  field_mask?: FieldMask
  /** A field's name, with `-` in front for the other way round. Default: by id. */
  order?: string
  /** How many are asked for at once, 1 to 1000. Default: 500. */
  limit?: number
}

/** Applications of The Things Stack. Each call takes and gives the API's JSON, and is the same over gRPC and HTTP. */
export interface Applications {
  /**
   * The applications that the credentials may see, or those of a `collaborator`. They are read page by page, as they are
   * asked for. The key of an application lists none.
   */
  list(
    request?: StackListRequest & { collaborator?: StackOwnerIdentifiers; deleted?: boolean },
    options?: CallOptions,
  ): AsyncGenerator<StackApplication, void, undefined>
  /** Without a `field_mask`, ids and times only. */
  get(
    request: { application_ids: StackApplicationIdentifiers; field_mask?: FieldMask },
    options?: CallOptions,
  ): Promise<StackApplication>
  /** Needs a user's or an organization's credentials. */
  create(
    request: { application: StackApplication; collaborator: StackOwnerIdentifiers },
    options?: CallOptions,
  ): Promise<StackApplication>
  /** Changes the fields that `field_mask` names, and no other. */
  update(request: { application: StackApplication; field_mask: FieldMask }, options?: CallOptions): Promise<StackApplication>
  delete(ids: StackApplicationIdentifiers, options?: CallOptions): Promise<void>
}

/** End devices of The Things Stack's Identity Server. Each call takes and gives the API's JSON. */
export interface EndDevices {
  /** An application's devices. They are read page by page, as they are asked for. */
  list(
    request: StackListRequest & { application_ids: StackApplicationIdentifiers },
    options?: CallOptions,
  ): AsyncGenerator<EndDevice, void, undefined>
  /** Without a `field_mask`, ids and times only. */
  get(request: { end_device_ids: EndDeviceIdentifiers; field_mask?: FieldMask }, options?: CallOptions): Promise<EndDevice>
  create(request: { end_device: EndDevice }, options?: CallOptions): Promise<EndDevice>
  /** Changes the fields that `field_mask` names, and no other. */
  update(request: { end_device: EndDevice; field_mask: FieldMask }, options?: CallOptions): Promise<EndDevice>
  delete(ids: EndDeviceIdentifiers, options?: CallOptions): Promise<void>
}

/** Which events. */
export interface EventsRequest {
  /** Whose: at least one. */
  identifiers: readonly StackEntityIdentifiers[]
  /** So many of the past first, if the server keeps events. */
  tail?: number
  /** From this time on, if the server keeps events: RFC 3339. */
  after?: string
  /** Names, such as `as.up.data.forward`, or regular expressions between slashes. Default: all. */
  names?: readonly string[]
}

/** Options of `Client.events`. */
export interface EventsOptions {
  /** Ends the events: the iteration throws `AUTH_CANCELLED`. `break` and `return()` end them as well, without an error. */
  signal?: AbortSignal
  /** The time limit until the stream is open, in milliseconds, instead of the client's. */
  timeout?: number
  /** Whether a stream that broke is opened again, with what was missed if the server keeps events. Default: true. */
  reconnect?: boolean
  /**
   * Called before a stream is opened again, with what ended the one before; `null` if the server ended it in order. What it
   * throws is a warning of the process.
   */
  onReconnect?: (error: AuthError | null) => void
}

/** An event of The Things Stack. The first of each stream is `events.stream.start`. */
export interface StackEvent {
  name: string
  time?: string
  identifiers?: StackEntityIdentifiers[]
  /** What it is about, by its `@type`. */
  data?: Record<string, unknown>
  correlation_ids?: string[]
  origin?: string
  context?: Record<string, string>
  visibility?: { rights?: string[] }
  authentication?: Record<string, string>
  remote_ip?: string
  user_agent?: string
  unique_id?: string
}

/** Options of `Client.stream`. */
export interface StreamOptions {
  metadata?: Record<string, FieldValue>
  /** Ends the stream: the iteration throws `AUTH_CANCELLED`. */
  signal?: AbortSignal
  /** The time limit until the first message, in milliseconds, instead of the client's. After it a stream may be idle. */
  timeout?: number
}

export interface Client {
  /** Applications of The Things Stack (V3). V2's are read by `getApplication`. */
  readonly applications: Applications
  /** End devices of The Things Stack (V3). V2's are read by `getDevice` and `getDevices`. */
  readonly endDevices: EndDevices
  /**
   * Events of The Things Stack, as they come. A stream that breaks is opened again, with back-off; one that is refused ends.
   *
   * @example
   * const identifiers = [{ application_ids: { application_id: 'my-app' } }]
   * for await (const { name, data } of client.events({ identifiers })) console.log(name, data)
   */
  events(request: EventsRequest, options?: EventsOptions): AsyncGenerator<StackEvent, void, undefined>
  /** The messages of a gRPC method that streams from the server, `/package.Service/Method`; only for clients over gRPC. */
  stream(method: string, message: Uint8Array, options?: StreamOptions): AsyncGenerator<Buffer, void, undefined>
  /** The results of an HTTP route that streams: a line of JSON each, of which `result` is given; only for clients over HTTP. */
  stream(request: HttpRequest): AsyncGenerator<unknown, void, undefined>
}
