'use strict'
// What it costs to load modules in a fresh process: `load.cjs MODULE..` prints milliseconds and bytes.
const modules = process.argv.slice(2)
// Node's own first `require` of a package takes longer and more memory than ours; it is nobody's.
require('./nothing')
const before = process.memoryUsage.rss()
const started = performance.now()
for (const name of modules) require(name)
const ms = performance.now() - started
console.log(JSON.stringify({ ms, bytes: process.memoryUsage.rss() - before }))
