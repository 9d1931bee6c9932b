'use strict'
// A request of undici that may be made more than once. Its handler hears of one: an answer that says no is held back until it
// is clear that it is the last.

const { MAX_BODY, isUnsent } = require('./http.js')

/** The controller that the handler has from the beginning: of whichever attempt is under way. */
class Controller {
  #target
  #paused = false
  #stop

  aborted = false
  reason = null

  constructor(stop) {
    this.#stop = stop
  }

  set target(target) {
    this.#target = target
    if (this.#paused) target.pause()
  }

  get paused() {
    return this.#paused
  }

  get rawHeaders() {
    return this.#target?.rawHeaders ?? null
  }

  get rawTrailers() {
    return this.#target?.rawTrailers ?? null
  }

  pause() {
    this.#paused = true
    this.#target?.pause()
  }

  resume() {
    this.#paused = false
    this.#target?.resume()
  }

  abort(reason) {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    this.#stop(reason)
    this.#target?.abort(reason)
  }
}

class RepeatedRequest {
  #settings
  #abort = new AbortController()
  #controller
  /** The handler's: what an inner interceptor says in its context, such as redirects, gets in here. */
  #context = {}
  #over = false

  constructor(settings) {
    this.#settings = settings
    this.#controller = new Controller((reason) => {
      this.#abort.abort(reason)
      this.#fail(reason)
    })
  }

  run() {
    this.#repeat().catch((error) => this.#fail(error))
  }

  async #repeat() {
    this.#settings.handler.onRequestStart?.(this.#controller, this.#context)
    const decided = this.#settings.decided(this.#abort.signal)
    /** How the last attempt ended, which is the end if there is no next one. */
    let last
    for (;;) {
      let ready
      try {
        ready = await decided.next()
      } catch (error) {
        return last ? last.release() : this.#fail(error)
      }
      if (this.#over) return
      last = await this.#attempt(ready)
      if (last.failure === undefined) {
        if (last.good) decided.succeeded()
        return
      }
      const repeated = decided.failed(last.failure).then(() => true, () => false)
      // A body that is gone is not sent again: what was refused is replaced for the next request.
      if (last.passed || !this.#settings.again || !(await repeated)) return last.release()
    }
  }

  /** One attempt; `failure` says why it is not the last yet, and `release` makes it so. */
  #attempt(ready) {
    const { handler, origin, send } = this.#settings
    const controller = this.#controller
    return new Promise((resolve) => {
      let [passes, begun] = [false, undefined]
      const chunks = []
      /** Hands through what was held back. */
      const pass = () => {
        passes = true
        const { status, headers, text } = begun
        handler.onResponseStart?.(controller, status, headers, text)
        for (const chunk of chunks) handler.onResponseData?.(controller, chunk)
      }
      const failure = () => ({ httpStatus: begun.status, headers: flat(begun.headers), body: Buffer.concat(chunks).toString() })
      const fail = (error) => {
        if (passes || this.#over) return this.#fail(error)
        resolve({ failure: { message: String(error?.message), unsent: isUnsent(error) }, release: () => this.#fail(error) })
      }
      const inner = {
        onRequestStart: (target, context) => {
          Object.assign(this.#context, context)
          controller.target = target
          if (controller.aborted) target.abort(controller.reason)
        },
        onRequestUpgrade: (_, status, headers, socket) => {
          this.#over = true
          resolve({ good: true })
          handler.onRequestUpgrade?.(controller, status, headers, socket)
        },
        onResponseStarted: () => handler.onResponseStarted?.(),
        onBodySent: (chunk) => handler.onBodySent?.(chunk),
        onRequestSent: () => handler.onRequestSent?.(),
        onResponseStart: (_, status, headers, text) => {
          if (status < 200) return handler.onResponseStart?.(controller, status, headers, text)
          begun = { status, headers, text }
          // The redirects that an interceptor inside has followed, this request included.
          const from = this.#context.history?.at(-1)?.origin ?? origin
          if (status >= 400 && from === origin) return
          resolve({ good: status < 300 && from === origin })
          pass()
        },
        onResponseData: (_, chunk) => {
          if (passes) return handler.onResponseData?.(controller, chunk)
          // Copied: undici may write into it again.
          chunks.push(Buffer.from(chunk))
          if (chunks.reduce((size, { length }) => size + length, 0) < MAX_BODY) return
          // More than an error has to say: it is handed through, whatever it means.
          const told = failure()
          pass()
          resolve({ failure: told, passed: true, release() {} })
        },
        onResponseEnd: (_, trailers) => {
          const end = () => {
            if (this.#over) return
            this.#over = true
            handler.onResponseEnd?.(controller, trailers)
          }
          if (passes) return end()
          const release = () => {
            if (this.#over) return
            pass()
            end()
          }
          resolve({ failure: failure(), release })
        },
        onResponseError: (_, error) => fail(error),
      }
      try {
        send(ready, inner)
      } catch (error) {
        fail(error)
      }
    })
  }

  #fail(error) {
    if (this.#over) return
    this.#over = true
    this.#settings.handler.onResponseError?.(this.#controller, error)
  }
}

/** One value for each name. */
const flat = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))

module.exports = { RepeatedRequest }
