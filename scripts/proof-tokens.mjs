// `npm run proof:tokens`: proves that tokens never run out, with seven numbers; see proof.mjs for its options.
import { prepare } from './prepare.mjs'
import { runProof } from './proof.mjs'
import { installRedis } from './redis.mjs'

await runProof({
  command: 'npm run proof:tokens',
  numbers: {
    1: ['1-first-calls', 'first calls'],
    2: ['2-outages', 'outages'],
    3: ['3-bad-tokens', 'bad tokens'],
    4: ['4-bulk', 'bulk'],
    5: ['5-restarts', 'restarts'],
    6: ['6-shared', 'shared'],
    7: ['7-secrets', 'secrets'],
  },
  // Of each two, one waits most of its time. All at once is more than two processors can do: then calls meet their time
  // limits. The last one reads what the others left.
  rounds: [['1', '6'], ['2', '4'], ['3', '5'], ['7']],
  check(chosen) {
    if (chosen.length === 1 && chosen[0] === '7') throw new Error('7 searches what the others leave: choose some of them too')
  },
  prepare(chosen) {
    prepare()
    if (chosen.includes('6')) installRedis()
  },
})
