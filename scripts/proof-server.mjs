// `npm run proof:server`: proves the server's side, with five numbers; see proof.mjs for its options.
import { prepare } from './prepare.mjs'
import { runProof } from './proof.mjs'

await runProof({
  command: 'npm run proof:server',
  numbers: {
    1: ['server-1-vectors', 'vectors'],
    2: ['server-2-matrix', 'servers and clients'],
    3: ['server-3-forgeries', 'forgeries'],
    4: ['server-4-comparison', 'comparison of secrets'],
    5: ['server-5-load', 'load and outages'],
  },
  // One at a time: each starts servers, and looks at how long they take.
  rounds: [['1'], ['2'], ['3'], ['4'], ['5']],
  prepare() {
    prepare()
  },
})
