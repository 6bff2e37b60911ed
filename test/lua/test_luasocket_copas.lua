-- Copas over both cores, also with LuaSec.

local programs = require 'programs'
local support = require 'support'

TestCopas = programs.suite('copas', { needs = { 'copas' } })
TestCopasTls = programs.suite('copas_tls', { needs = { 'copas', 'ssl' } })

support.run()
