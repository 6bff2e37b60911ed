-- All functions and methods of both cores, called with the same arguments.

local programs = require 'programs'
local support = require 'support'

TestConformance = programs.suite('conformance', {
  needs = { 'socket.core', 'socket.unix' },
  differences = require 'differences',
})

support.run()
