-- lua scripts/definitions.lua DIRECTORY: writes the definitions for editors,
-- DIRECTORY/sock99.lua and DIRECTORY/sock99/luasocket.lua. `make definitions` does so in library/.
--
-- They are made of the LDoc above functions and of the rows of options. A comment
-- belongs to the module and the class that `@module` and `@type` in its file name
-- last. Functions are sorted by name, so that it does not matter where they are.

-- LDoc does not tell all of a class. They are written in this order.
local modules = {
  {
    name = 'sock99', path = 'sock99.lua',
    classes = {
      { 'errno', fields = { '[string] integer', '[integer] string' } },
      { 'options', fields = { '[integer] sock99.raw_option', '[string] sock99.option_value' } },
      { 'opening' },
      { 'socket', alias = 'any' },
      { 'stream', parent = 'sock99.socket' },
      { 'datagram', parent = 'sock99.socket' },
    },
  },
  {
    name = 'sock99.luasocket', path = 'sock99/luasocket.lua',
    classes = {
      { 'dns' },
      { 'unix', overload = 'fun(): sock99.luasocket.tcp?, string?' },
      { 'tcp', parent = 'sock99.stream' },
      { 'udp', parent = 'sock99.datagram' },
    },
  },
}

-- Types of options by the form of their rows.
local memberships = 'sock99.membership|sock99.membership[]'
local type_of_form = {
  FLAG = 'boolean', ACTION = 'boolean', MULTICAST_LOOP = 'boolean', RETOPTS = 'boolean|string',
  INT = 'integer', UINT32 = 'integer', TOS = 'integer', MULTICAST_TTL = 'integer',
  UINT64 = 'integer|string', LINGER = 'integer|false', TIMEOUT = 'number|false',
  TEXT = 'string', STRUCT = 'string', FILTER = 'string',
  MULTICAST_IF = 'string|integer', UNICAST_IF = 'string|integer',
  MEMBER = memberships, SOURCE = memberships,
}


local function read(path)
  local file = assert(io.open(path))
  local text = file:read '*a'
  file:close()
  return text
end


-- Comments

local comments_of = {}

function comments_of.c(text)
  return text:gmatch '/%*%*%*(.-)%*/'
end


function comments_of.lua(text)
  local comments, lines = {}
  for line in text:gmatch '([^\n]*)\n' do
    local first, next_one = line:match '^%-%-%-(.*)', line:match '^%-%- ?(.*)'
    if first then
      lines = { first }
      comments[#comments + 1] = lines
    elseif next_one and lines then
      lines[#lines + 1] = next_one
    else
      lines = nil
    end
  end
  local i = 0
  return function()
    i = i + 1
    return comments[i] and table.concat(comments[i], '\n')
  end
end


-- As Markdown without the references that LDoc knows.
local function plain(text)
  return (text:gsub('@{[^}|]*|([^}]*)}', '%1'):gsub('@{([^}]*)}', '`%1`')
    :gsub('%[([^%]]*)%]%([^)]*%)', '%1'):gsub('^%s+', ''):gsub('%s+$', ''))
end


-- The description of a comment, and its tags: each with name, modifiers and text.
local function parse(comment)
  local description, tags, last = {}, {}, nil
  for line in (comment .. '\n'):gmatch '([^\n]*)\n' do
    local tag, modifiers, text = line:match '^%s*@(%a+)(%b[])%s*(.*)'
    if not tag then
      tag, text = line:match '^%s*@(%a+)%s*(.*)'
    end
    if tag then
      last = { name = tag, modifiers = modifiers or '', text = text }
      tags[#tags + 1] = last
    elseif last then
      last.text = last.text .. ' ' .. line
    else
      description[#description + 1] = line
    end
  end
  for _, tag in ipairs(tags) do
    tag.text = plain(tag.text:gsub('%s+', ' '))
    tags[tag.name] = tags[tag.name] or tag.text
  end
  return plain(table.concat(description, '\n')), tags
end


-- Types

-- A type of LDoc's in LuaCATS, and whether it may be nil.
local function translate(told, module)
  local optional = told:sub(1, 1) == '?'
  local translated = told:gsub('^%?|?', ''):gsub("%f[%w_'][%a_][%w_]*%f[^%w_]", function(word)
    return module.types[word]
  end)
  return translated:gsub('=', ': '):gsub('([,:])(%a)', '%1 %2'), optional
end


-- Adds what one type offers to a list without repetitions.
local function add_type(types, name)
  for alternative in (name .. '|'):gmatch '([^|]*)|' do
    if not types[alternative] then
      types[alternative] = true
      types[#types + 1] = alternative
    end
  end
end


local function union(types, optional)
  local name = table.concat(types, '|')
  if not optional then
    return name
  end
  return name .. (#types > 1 and '|nil' or '?')
end


-- Parts of a function

local shorthands = { string = true, number = true }

-- The type, the name and the description of a parameter or a field.
local function typed(tag, module)
  local told, rest = tag.text:match '^(%S+)%s*(.*)'
  if shorthands[tag.name] then
    told, rest = tag.name, tag.text
  elseif tag.name == 'param' or tag.name == 'field' then
    told, rest = 'any', tag.text
  end
  local name, description = rest:match '^(%S+)%s*(.*)'
  local default = tag.modifiers:match '^%[opt=(.*)%]$'
  local luacats, optional = translate(told, module)
  if default and default ~= '""' then
    description = (description .. ' (default: ' .. default .. ')'):gsub('^ ', '')
  end
  optional = optional or tag.modifiers:find '^%[opt' ~= nil
  return { name = name, type = luacats, optional = optional, description = description }
end


local function is_parameter(tag)
  return tag.name == 'tparam' or tag.name == 'param' or shorthands[tag.name]
end


-- Groups of results, as LDoc counts them.
local function result_groups(tags, module)
  local groups = {}
  for _, tag in ipairs(tags) do
    if tag.name == 'treturn' then
      local number = tonumber(tag.modifiers:match '%d+' or 1)
      groups[number] = groups[number] or {}
      local told, description = tag.text:match '^(%S+)%s*(.*)'
      local luacats, optional = translate(told, module)
      if luacats == 'integer' and description == '1' or luacats .. description == 'booleantrue' then
        luacats, description = description, ''
      end
      table.insert(groups[number],
        { type = luacats, optional = optional, description = description })
    end
  end
  return groups
end


-- The usual name of a result that only a failure has.
local function name_of_failure(position, result, module)
  if result.type == module.name .. '.stage' then
    return 'stage'
  elseif result.description:find '^errno' then
    return 'code'
  elseif position == 2 then
    return 'message'
  end
  return position == 3 and 'partial' or nil
end


-- One result out of all groups: what it may be, and what is told of it.
local function result_at(position, groups, module)
  local types, told, optional, name = {}, {}, false, nil
  for number, group in ipairs(groups) do
    local result = group[position]
    optional = optional or not result or result.optional or result.type == 'nil'
    if result and result.type ~= 'nil' then
      if number == #groups and number > 1 and #types == 0 then
        name = name_of_failure(position, result, module)
      end
      add_type(types, result.type)
      local prefix = #told == 0 and '' or number == #groups and 'on failure ' or 'or '
      told[#told + 1] = result.description ~= '' and prefix .. result.description or nil
    end
  end
  return { type = union(types, optional), name = name, description = table.concat(told, '; ') }
end


local function results(tags, module)
  local groups, list, most = result_groups(tags, module), {}, 0
  for _, group in ipairs(groups) do
    most = math.max(most, #group)
  end
  for position = 1, most do
    list[position] = result_at(position, groups, module)
  end
  return list
end


-- Reading

local class_kinds = { record = true, union = true, words = true, table = true, type = true }

-- Calls `take(module, owner, description, tags)` for each comment of a file.
local function each_comment(path, take)
  local module, owner
  for comment in comments_of[path:match '%a+$'](read(path)) do
    local description, tags = parse(comment)
    for _, tag in ipairs(tags) do
      if tag.name == 'module' then
        module, owner = tag.text, nil
      elseif tag.name == 'type' then
        owner = tag.text
      elseif tag.name == 'section' then
        owner = nil
      end
    end
    take(module, owner, description, tags)
  end
end


local function sources()
  local list = {}
  local find = assert(io.popen "find src/sock99 lua/sock99 -name '*.c' -o -name '*.lua'")
  for path in find:lines() do
    list[#list + 1] = path
  end
  find:close()
  table.sort(list)
  return list
end


local function read_comments()
  local comments = {}
  for _, path in ipairs(sources()) do
    each_comment(path, function(module, owner, description, tags)
      comments[#comments + 1] =
        { module = module, owner = owner, description = description, tags = tags }
    end)
  end
  return comments
end


-- What a word means among the types of a module.
local function read_types(module, comments)
  module.types = { file = 'file*', [module.name:match '[^.]*$'] = module.name }
  for _, comment in ipairs(comments) do
    for _, tag in ipairs(comment.module == module.name and comment.tags or {}) do
      if class_kinds[tag.name] then
        module.types[tag.text] = module.name .. '.' .. tag.text
      end
    end
  end
  for _, class in ipairs(module.classes) do
    if class.alias then
      module.types[class[1]] = module.name .. '.' .. class.alias
    end
  end
end


-- Writing

local function commented(text)
  return (('---' .. text):gsub('\n', '\n---'))
end


local function line(...)
  return (table.concat({ ... }, ' '):gsub('%s+$', ''))
end


local function field_line(field)
  local mark = field.optional and '?' or ''
  if field.name:find '^%d' then
    return line('---@field', '[' .. field.name .. ']', field.type .. mark, field.description)
  end
  return line('---@field', field.name .. mark, field.type, field.description)
end


local function fields_of(comment, module)
  local list = {}
  for _, tag in ipairs(comment.tags) do
    if tag.name == 'field' or tag.name == 'tfield' then
      list[#list + 1] = typed(tag, module)
    end
  end
  return list
end


local function record(comment, module)
  local lines = { commented(comment.description),
    '---@class ' .. module.name .. '.' .. comment.tags.record }
  for _, field in ipairs(fields_of(comment, module)) do
    lines[#lines + 1] = field_line(field)
  end
  return lines
end


local function alternatives(comment, module)
  local lines = { commented(comment.description),
    '---@alias ' .. module.name .. '.' .. (comment.tags.union or comment.tags.words) }
  for _, field in ipairs(fields_of(comment, module)) do
    local told = field.description ~= '' and '# ' .. field.description or ''
    lines[#lines + 1] =
      line('---|', comment.tags.words and "'" .. field.name .. "'" or field.type, told)
  end
  return lines
end


local function definition(comment, module, owner, name)
  local lines, names = { commented(comment.description) }, {}
  for _, tag in ipairs(comment.tags) do
    if is_parameter(tag) then
      local parameter = typed(tag, module)
      local mark = parameter.optional and '?' or ''
      names[#names + 1] = parameter.name
      lines[#lines + 1] =
        line('---@param', parameter.name .. mark, parameter.type, parameter.description)
    end
  end
  for _, result in ipairs(results(comment.tags, module)) do
    local told = result.description
    if result.name then
      told = result.name .. ' ' .. told
    elseif told ~= '' then
      told = told:gsub('^%.%.%. ', '%0# '):gsub('^[^.]', '# %0')
    end
    lines[#lines + 1] = line('---@return', result.type, told)
  end
  lines[#lines + 1] = ('function %s%s(%s) end'):format(owner, name, table.concat(names, ', '))
  return lines
end


-- Options: a name that means several things has the types of all.

local prefixes = { SO = true, TCP = true, UDP = true, IP = true, IPV6 = true, MCAST = true }


local function option_row(text)
  local parts, constants, name = {}, {}, nil
  for part in text:gmatch '[^,]+' do
    parts[#parts + 1] = part:match '^%s*(.-)%s*$'
  end
  for i, part in ipairs(parts) do
    local quoted = part:match '^"(.+)"$'
    if quoted and not name then
      name = quoted
    elseif quoted or prefixes[part:match '^(%u+%d?)_'] and parts[i + 1] ~= 'S99_NONE' then
      constants[#constants + 1] = quoted or part
    end
  end
  local form = text:match 'S99_FORM_([%u%d_]+)' or parts[#parts]
  return name, constants, type_of_form[form] or error('no type for the option ' .. text)
end


local function option_fields()
  local lines, options = {}, {}
  for text in read 'src/socket99/option_rows.h':gmatch '\n[%u%d]+(%b())' do
    local name, constants, luacats = option_row(text:sub(2, -2))
    if name then
      if not options[name] then
        options[name] = { types = {}, constants = {} }
        options[#options + 1] = name
      end
      add_type(options[name].types, luacats)
      for _, constant in ipairs(constants) do
        table.insert(options[name].constants, constant)
      end
    end
  end
  table.sort(options)
  for i, name in ipairs(options) do
    local option, key = options[name], name:gsub('^%d.*', "['%0']")
    lines[i] = line('---@field', key, union(option.types) .. '|nil',
      table.concat(option.constants, ', '))
  end
  return lines
end


-- Modules

local function short(module)
  return module.name:match '[^.]*$'
end


-- The comment that describes the module, or one of its classes.
local function comment_of(comments, module, name)
  for _, comment in ipairs(comments) do
    local tags = comment.tags
    local described = name == nil and tags.module or tags.type or tags.table or tags.record
    if comment.module == module.name and comment.description ~= ''
      and described == (name or module.name) then
      return comment
    end
  end
  error(('no LDoc of %s in %s'):format(name or 'the module', module.name))
end


local function is_field(comment)
  local tags = comment.tags
  return (tags.field or tags.tfield) and not (tags.record or tags.union or tags.words)
end


-- Fields that have a comment of their own, and tables in the module.
local function own_fields(comments, module, owner)
  local lines = {}
  for _, comment in ipairs(comments) do
    if comment.module == module.name and comment.owner == owner then
      local told = comment.description:gsub('\n', ' ')
      if is_field(comment) then
        local field = fields_of(comment, module)[1]
        field.description = told
        lines[#lines + 1] = field_line(field)
      elseif comment.tags.table and not owner then
        local name = comment.tags.table
        lines[#lines + 1] = line('---@field', name, module.types[name])
      end
    end
  end
  table.sort(lines)
  return lines
end


local function append(lines, more)
  for _, text in ipairs(more) do
    lines[#lines + 1] = text
  end
end


local function class_block(comments, module, class)
  local name = class[1]
  local described = comment_of(comments, module, name)
  local parent = class.parent and ': ' .. class.parent or ''
  local lines = { commented(described.description),
    '---@class ' .. module.name .. '.' .. name .. parent }
  lines[#lines + 1] = class.overload and '---@overload ' .. class.overload
  for _, field in ipairs(class.fields or {}) do
    lines[#lines + 1] = '---@field ' .. field
  end
  append(lines, name == 'options' and option_fields() or own_fields(comments, module, name))
  if described.tags.type or module.name ~= 'sock99' then
    lines[#lines + 1] = 'local ' .. name .. ' = {}'
  end
  return lines
end


-- The alias for objects of a class that are always of one of those below it.
local function alias_block(module, class)
  local names = {}
  for _, other in ipairs(module.classes) do
    if other.parent == module.name .. '.' .. class[1] then
      names[#names + 1] = module.name .. '.' .. other[1]
    end
  end
  return { '---@alias ' .. module.name .. '.' .. class.alias .. ' ' .. table.concat(names, '|') }
end


local function module_block(comments, module)
  local lines = { commented(comment_of(comments, module).description),
    '---@class ' .. module.name }
  append(lines, own_fields(comments, module))
  lines[#lines + 1] = 'local ' .. short(module) .. ' = {}'
  return lines
end


-- Blocks of functions and tables, sorted by what they define.
local function sorted_blocks(comments, module, block_of)
  local names, blocks = {}, {}
  for _, comment in ipairs(comments) do
    if comment.module == module.name then
      local name, block = block_of(comment)
      if name then
        assert(not blocks[name], name .. ' has LDoc twice')
        names[#names + 1], blocks[name] = name, table.concat(block, '\n')
      end
    end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    names[i] = blocks[name]
  end
  return names
end


local function is_class(module, name)
  for _, class in ipairs(module.classes) do
    if class[1] == name then
      return true
    end
  end
  return false
end


local function definitions(comments, module)
  local blocks = {
    '---@meta ' .. module.name,
    '-- Definitions for editors, in LuaCATS, by scripts/definitions.lua (make definitions).\n'
      .. '-- On package.path this file would be found in place of the module, so it must not\n'
      .. '-- get there.',
    table.concat(module_block(comments, module), '\n'),
  }
  append(blocks, sorted_blocks(comments, module, function(comment)
    local tags = comment.tags
    if tags.union or tags.words then
      return tags.union or tags.words, alternatives(comment, module)
    elseif tags.record and not is_class(module, tags.record) then
      return tags.record, record(comment, module)
    end
  end))
  for _, class in ipairs(module.classes) do
    blocks[#blocks + 1] = class.alias and table.concat(alias_block(module, class), '\n')
    blocks[#blocks + 1] = table.concat(class_block(comments, module, class), '\n')
  end
  append(blocks, sorted_blocks(comments, module, function(comment)
    local name = comment.tags['function']
    local owner = comment.owner and comment.owner .. ':'
      or name and not name:find '%.' and short(module) .. '.' or ''
    if name then
      return owner .. name, definition(comment, module, owner, name)
    end
  end))
  blocks[#blocks + 1] = 'return ' .. short(module)
  return table.concat(blocks, '\n\n') .. '\n'
end


local directory = assert(arg[1], 'which directory?')
local comments = read_comments()
for _, module in ipairs(modules) do
  read_types(module, comments)
  local file = assert(io.open(directory .. '/' .. module.path, 'w'))
  file:write(definitions(comments, module))
  file:close()
end
