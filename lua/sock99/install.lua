-- install: `lua -l sock99.install program.lua` runs a program that is written for
-- LuaSocket over sock99.

return require 'sock99.luasocket'.install()
