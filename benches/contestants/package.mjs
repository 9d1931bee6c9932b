// This package as an installation has it: in a folder with a release addon, which benches/package.mjs makes.
import { createRequire } from 'node:module'

export const us = () => createRequire(import.meta.url)(process.env.TTN_BENCH_PACKAGE)
