// `npm run proof:server`: proves the server's side, with five numbers; see proof.mjs for its options.
import { spawnSync } from 'node:child_process'

import { prepare, root } from './prepare.mjs'
import { runProof } from './proof.mjs'

/** What numbers start: built here, because that may take longer than they do. */
const PROGRAMS = [
  ['-p', 'ttn-auth-sandbox', '--bins'],
  ['-p', 'ttn-auth', '--all-features', '--example', 'guard_axum', '--example', 'guard_tonic'],
]

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
    for (const program of PROGRAMS) {
      console.error(`> cargo build ${program.join(' ')}`)
      const { status } = spawnSync('cargo', ['build', '-q', ...program], { cwd: root, stdio: ['ignore', 2, 2] })
      if (status !== 0) throw new Error(`cargo build ended with ${status}`)
    }
  },
})
