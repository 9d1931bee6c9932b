'use strict'
// A package that does nothing, for load.cjs.
