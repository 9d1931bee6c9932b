// Load that is not slowed down by answers, and load that is.
import { settled } from './calls.mjs'
import { after } from './proof.mjs'

/**
 * So many calls a second, whether those before have been answered or not.
 * @returns {Promise<{calls: number, failed: {error: Error, ms: number}[]}>} once each has ended
 */
export async function openLoop({ rate, seconds, call, progress }) {
  const [started, total, failed, pending] = [performance.now(), rate * seconds, [], new Set()]
  let calls = 0
  while (calls < total) {
    const due = Math.min(total, Math.floor(((performance.now() - started) / 1000) * rate))
    for (; calls < due; calls += 1) {
      const index = calls
      const ending = settled(() => call(index)).then((end) => {
        pending.delete(ending)
        if (end.error) failed.push(end)
      })
      pending.add(ending)
      if (index % (rate * 30) === 0) progress?.(`${index} of ${total} calls, ${failed.length} failed`)
    }
    await after(1000 / rate)
  }
  await Promise.all(pending)
  return { calls, failed }
}

/** Callers who each begin the next call when the last one has ended, until they are told to stop. */
export function closedLoop(callers, call) {
  let [stopping, begun] = [false, 0]
  const ends = []
  const running = Array.from({ length: callers }, async (_, caller) => {
    while (!stopping) {
      const index = begun
      begun += 1
      ends.push({ index, ...(await settled(() => call(index, caller))) })
      await after(0)
    }
  })
  return {
    /** How each call ended, once the last one has. */
    async stop() {
      stopping = true
      await Promise.all(running)
      return ends
    },
    get ends() {
      return ends
    },
  }
}
