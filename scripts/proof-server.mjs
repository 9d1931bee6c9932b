// `npm run proof:server`: proves the server's side, with five numbers; see proof.mjs for its options.
import { prepare } from './prepare.mjs'
import { runProof } from './proof.mjs'

await runProof({
  command: 'npm run proof:server',
  numbers: {
    1: ['server-1-vectors', 'vectors'],
  },
  // One at a time: each starts servers, and counts what they do.
  rounds: [['1']],
  prepare() {
    prepare()
  },
})
