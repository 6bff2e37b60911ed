-- amount.lua: how much of everything, from the environment.

local function number(name, default)
  return tonumber(os.getenv(name) or default)
end

return {
  connections = number('CONNECTIONS', 10000), -- held at once
  rounds = number('ROUNDS', 20),              -- echoes of each
  opens = number('OPENS', 1000000),           -- of each kind, and failures of each
  requests = number('REQUESTS', 200000),      -- to workers that are killed
}
