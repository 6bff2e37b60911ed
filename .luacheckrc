std = "max"
max_line_length = 100
exclude_files = { "build" }
files["**/*.rockspec"].std = "+rockspec"
-- luaunit finds its tests among the globals, and calls them as methods.
files["test/lua"] = { allow_defined_top = true, ignore = { "131/[Tt]est.*", "212/self" } }
files["test/network"] = files["test/lua"]
-- Definitions, not code.
files["library"] = { ignore = { "211", "212", "241", "631" } }
