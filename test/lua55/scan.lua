-- scan.lua FILE.lua…: what Lua 5.5 no longer compiles, found with any Lua: an
-- assignment to the control variable of a loop, and `global` as a name.

local opens = { ['function'] = true, ['do'] = true, ['then'] = true, ['repeat'] = true }
local closes = { ['end'] = true, ['until'] = true, ['elseif'] = true, ['else'] = true }


-- The end of a long bracket that begins at `from`, or nil.
local function long_bracket(text, from)
  local level = text:match('^%[(=*)%[', from)
  return level and select(2, text:find(']' .. level .. ']', from, true))
end


-- Words and punctuation, with their lines; strings are '""', comments nothing.
local function tokens(text)
  local list, at, line = {}, 1, 1
  local function add(token, to)
    if token then
      list[#list + 1] = { token, line }
    end
    line = line + select(2, text:sub(at, to):gsub('\n', ''))
    at = to + 1
  end
  if text:find '^#' then
    add(nil, text:find('\n', 1, true) or #text)
  end
  while at <= #text do
    local c = text:sub(at, at)
    if text:find('^%s', at) then
      add(nil, select(2, text:find('^%s+', at)))
    elseif text:find('^%-%-', at) then
      add(nil, long_bracket(text, at + 2) or (text:find('\n', at, true) or #text + 1) - 1)
    elseif c == '"' or c == "'" then
      local to = at
      repeat
        to = assert(text:find('[\\' .. c .. ']', to + 1), 'a string without an end')
        local escape = text:sub(to, to) == '\\'
        to = escape and to + 1 or to
      until not escape
      add('""', to)
    elseif long_bracket(text, at) then
      add('""', long_bracket(text, at))
    elseif text:find('^[%a_]', at) then
      local _, to = text:find('^[%w_]+', at)
      add(text:sub(at, to), to)
    else
      local _, to = text:find('^[=~<>]=', at)
      add(text:sub(at, to or at), to or at)
    end
  end
  return list
end


local function scan(name, text)
  local blocks, found, control = {}, {}, nil
  local list = tokens(text)
  for i, each in ipairs(list) do
    local token, line = each[1], each[2]
    local before, after = list[i - 1] and list[i - 1][1], list[i + 1] and list[i + 1][1]
    local field = before == '.' or before == ':'
    local function report(what)
      found[#found + 1] = name .. ':' .. line .. ': ' .. what
    end
    if token == 'for' then
      control = after
    elseif token == 'local' and #blocks > 0 then
      local hidden, j = blocks[#blocks].hidden or {}, i + 1
      while list[j] and list[j][1]:find '^[%a_]' do
        hidden[list[j][1]] = true
        j = j + (list[j + 1] and list[j + 1][1] == ',' and 2 or 1e9)
      end
      blocks[#blocks].hidden = hidden
    elseif (opens[token] or token == '{') and not field then
      blocks[#blocks + 1] = { kind = token, control = token == 'do' and control or nil }
      if token == 'do' then
        control = nil
      end
    elseif (closes[token] or token == '}') and not field then
      blocks[#blocks] = nil
      if token == 'else' then
        blocks[#blocks + 1] = { kind = 'else' }
      end
    elseif token == 'global' and not field then
      report 'global as a name'
    elseif (after == '=' or after == ',') and not field and before ~= 'for'
      and before ~= 'local' then
      local inside = #blocks > 0 and blocks[#blocks].kind == '{'
      -- Of a list of names, an assignment's ends in "=".
      local j = i + 1
      while list[j] and list[j][1] == ',' and list[j + 1][1]:find '^[%a_]' do
        j = j + 2
      end
      local starts = before == nil or not before:find '^[,(=%[{+*/%%^#<>~-]$' and before ~= 'return'
      for b = #blocks, 1, -1 do
        if blocks[b].hidden and blocks[b].hidden[token] then
          break
        end
        if starts and not inside and list[j][1] == '=' and blocks[b].control == token then
          report('the control variable ' .. token .. ' is assigned to')
          break
        end
      end
    end
  end
  return found
end


-- It finds what it is for, and nothing else.
local planted = scan('planted', [[
for i = 1, 3 do if x then i = i + 1 end end
for k, v in pairs(t) do v = 1; t.k = 2; local s = { k = 1 }; if k == 2 then f(k, v) end end
for k in next, t do k, v = 1, 2 end
local global = 1
for i = 1, 2 do local j, i = 1, 2; i = 2 end
while x do j = 2 end
i = 2
]])
assert(table.concat(planted, '\n') == table.concat({
  'planted:1: the control variable i is assigned to',
  'planted:3: the control variable k is assigned to',
  'planted:4: global as a name',
}, '\n'), table.concat(planted, '\n'))

local failed = false
for _, name in ipairs(arg) do
  local file = assert(io.open(name))
  for _, line in ipairs(scan(name, file:read '*a')) do
    print(line)
    failed = true
  end
  file:close()
end
os.exit(failed and 1 or 0)
