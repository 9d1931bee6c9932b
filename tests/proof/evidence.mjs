// What a proof's processes print, throw, tell and show, kept in files for the search for secrets (number 7).
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import diagnostics from 'node:diagnostics_channel'
import { join } from 'node:path'
import { inspect } from 'node:util'

/** The client's channels, each an event's name. */
export const CHANNELS = ['exchange', 'refresh', 'refused', 'retry', 'store', 'file']

export class Evidence {
  /** Every event of the channels so far, the channel's name with it. */
  events = []

  /**
   * @param {string} folder  a proof's own
   * @param {string} name  of this process, for its file
   */
  constructor(folder, name) {
    mkdirSync(folder, { recursive: true })
    this.file = join(folder, `${name}.log`)
    writeFileSync(this.file, '')
  }

  /** Begins to keep what the channels tell. */
  listen() {
    for (const channel of CHANNELS) {
      diagnostics.subscribe(`ttn-auth:${channel}`, (message, name) => {
        this.events.push({ channel, ...message })
        this.line(`${String(name)} ${everything(message)}`)
      })
    }
    return this
  }

  /** Events of a channel, those with these fields only. */
  of(channel, fields = {}) {
    const fits = (event) => Object.entries(fields).every(([name, value]) => event[name] === value)
    return this.events.filter((event) => event.channel === channel && fits(event))
  }

  line(text) {
    appendFileSync(this.file, text.endsWith('\n') ? text : `${text}\n`)
  }

  /** What a value shows of itself, in every way there is. */
  show(label, value) {
    this.line(`${label} ${everything(value)}`)
  }

  /** An error, with what it hides at first sight. */
  error(error) {
    const texts = []
    for (let cause = error; cause; cause = cause.cause) texts.push(cause.message, cause.stack)
    this.show(`error ${texts.join('\n')}`, error)
  }
}

function everything(value) {
  const options = { depth: Infinity, showHidden: true, getters: false, maxStringLength: Infinity, maxArrayLength: Infinity }
  return [String(value), JSON.stringify(value), inspect(value, options)].join('\n')
}
