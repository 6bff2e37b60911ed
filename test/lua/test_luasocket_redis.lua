-- redis-lua over both cores, with a real Redis.

local programs = require 'programs'
local support = require 'support'

TestRedis = programs.suite('redis', { needs = { 'redis' } })

support.run()
