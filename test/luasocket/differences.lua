-- differences: where our core answers otherwise than LuaSocket's, on purpose.
-- By the label of what the conformance program tells: what LuaSocket's tells,
-- what ours does, and why. README.md has the reasons.

local differences = {}


return differences
