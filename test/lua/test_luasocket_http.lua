-- LuaSocket's Lua half over both cores: socket.http, ftp and smtp against small
-- servers, and pumps of ltn12.

local programs = require 'programs'
local support = require 'support'

TestHttp = programs.suite('http', { needs = { 'socket.http' } })
TestPumps = programs.suite('ltn12', {
  needs = { 'socket', 'ltn12', 'mime' },
  differences = {
    -- A port is a number.
    bind = {
      bound = { "tcp{server}, '127.0.0.1', 'PORT', true", "tcp{server}, '127.0.0.1', PORT, true" },
    },
  },
})
TestFtp = programs.suite('ftp', { needs = { 'socket.ftp' } })
TestSmtp = programs.suite('smtp', { needs = { 'socket.smtp' } })

support.run()
