// 3. Whatever happens to tokens: no call fails where a good token can be had, and otherwise there is one clear error.
import { answers } from './answers.mjs'
import { prove } from './proof.mjs'
import { total } from './scene.mjs'
import { sources } from './sources.mjs'
import { switches } from './switches.mjs'

/** How many cases run at once: each has a network of its own, and most of them wait. */
const TOGETHER = 6

await prove(async (t) => {
  const cases = [...answers, ...switches, ...sources]
  const next = cases.values()
  await Promise.all(Array.from({ length: TOGETHER }, async () => {
    for (const run of next) {
      await run(t).catch((error) => {
        t.evidence.error(error)
        t.check(false, `a case broke off: ${error.message}`)
        t.progress(error.stack)
      })
    }
  }))
  t.check(total.cases === cases.length, `${total.cases} of ${cases.length} cases ran`)
  const errors = [...total.errors].map(([code, count]) => `${code} ${count}`).toSorted()
  return [
    `${total.cases} cases, each over gRPC and HTTP: ${total.calls} calls, ${total.exchanges} exchanges,`,
    `${total.unexpected} failed where a good token could be had;`,
    `elsewhere one clear error a case: ${errors.join(', ')}`,
  ].join(' ')
})
