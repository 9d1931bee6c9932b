// A child process that is asked over IPC, and whose every line is kept as evidence.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Longer than any command takes; shorter than a proof's own limit. */
const ANSWER_LIMIT = 60_000

export class Child {
  #asked = new Map()
  #next = 0

  /**
   * @param {string} file  in this folder
   * @param {(text: string) => void} onOutput  told what it prints, on stdout and stderr
   * @param {string[]} [args]
   */
  constructor(file, onOutput, args = []) {
    const path = fileURLToPath(new URL(file, import.meta.url))
    this.file = file
    this.process = fork(path, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    for (const stream of [this.process.stdout, this.process.stderr]) stream.setEncoding('utf8').on('data', onOutput)
    this.ended = once(this.process, 'exit').then(([code, signal]) => {
      for (const { reject } of this.#asked.values()) reject(new Error(`${file} ended with ${signal ?? code}`))
      this.#asked.clear()
    })
    this.process.on('message', ({ id, value, error, told }) => {
      if (told) return this.onTold?.(told)
      const asked = this.#asked.get(id)
      if (!asked) return
      this.#asked.delete(id)
      if (error) asked.reject(new Error(`${file}: ${error}`))
      else asked.resolve(value)
    })
  }

  /** Its answer to a command. */
  ask(command, ...args) {
    const id = this.#next++
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        this.#asked.delete(id)
        reject(new Error(`${this.file}: no answer to ${command} within ${ANSWER_LIMIT / 1000} s`))
      }, ANSWER_LIMIT)
      const ended = (settle) => (value) => {
        clearTimeout(limit)
        settle(value)
      }
      this.#asked.set(id, { resolve: ended(resolve), reject: ended(reject) })
      this.process.send({ id, command, args }, (error) => error && this.#asked.get(id)?.reject(error))
    })
  }

  /** Ends it in the middle of whatever it does. */
  async kill() {
    this.process.kill('SIGKILL')
    await this.ended
  }

  /** It keeps its sockets, and does nothing. */
  async pause() {
    this.process.kill('SIGSTOP')
    // The signal takes effect a moment later, thread by thread.
    const threads = `/proc/${this.process.pid}/task`
    const runs = (thread) => !/\) T /.test(readFileSync(join(threads, thread, 'stat'), 'utf8'))
    while (readdirSync(threads).some(runs)) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  resume() {
    this.process.kill('SIGCONT')
  }
}
