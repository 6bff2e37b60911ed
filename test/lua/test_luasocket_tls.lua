-- LuaSec over both cores.

local programs = require 'programs'
local support = require 'support'

TestTls = programs.suite('tls', { needs = { 'socket', 'ssl' } })

support.run()
