-- install: `lua -l sock99.install program.lua` runs a program written for LuaSocket
-- over sock99.

return require 'sock99.luasocket'.install()
