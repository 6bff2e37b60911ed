-- check.lua DIRECTORY: whether the site in it is whole. Every page can be reached
-- from the first one, is readable on a phone, and links only to what is there;
-- nothing is loaded from elsewhere; examples are the files of examples/; the search
-- knows every page and every function.

local site = assert(arg[1]) .. '/'
local faults = 0


local function fault(...)
  faults = faults + 1
  print('failed: ' .. string.format(...))
end


local function read(path)
  local file = assert(io.open(path))
  local text = file:read('*a')
  file:close()
  return text
end


local function lines_of(command)
  local pipe = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do
    list[#list + 1] = line
  end
  pipe:close()
  return list
end


-- Each page by its address: its text and the ids on it.
local pages = {}

local function load_page(address)
  local page = { text = read(site .. address), ids = {} }
  for id in page.text:gmatch ' id="([^"]*)"' do
    if page.ids[id] then
      fault('%s: two places have the id %s', address, id)
    end
    page.ids[id] = true
  end
  pages[address] = page
end


-- "topics/x.html" and "../modules/y.html" to "modules/y.html".
local function address_from(page, target)
  local address = (page:match '^.*/' or '') .. target
  return (address:gsub('[^/]+/%.%./', ''))
end


local function check_link(address, target)
  local file, id = target:match '^([^#]*)#?(.*)$'
  local other = file == '' and address or address_from(address, file)
  if not pages[other] then
    fault('%s: no page for the link to %s', address, target)
  elseif id ~= '' and not pages[other].ids[id] then
    fault('%s: nothing has the id of the link to %s', address, target)
  end
  return other
end


-- What a page loads is a file beside it.
local function check_loaded(address, target)
  local file = not target:find '^%a+:' and io.open(site .. address_from(address, target))
  if file then
    file:close()
  else
    fault('%s: loads %s', address, target)
  end
end


local function check_page(address, page)
  if not page.text:find('<meta name="viewport" content="width=device-width', 1, true) then
    fault('%s: no viewport', address)
  end
  page.links = {}
  for target in page.text:gmatch '<a [^>]*href="([^"]*)"' do
    if not target:find '^%a+:' then
      page.links[check_link(address, target)] = true
    end
  end
  for tag in page.text:gmatch '<[ils][mic][gnr][^>]*>' do
    local target = tag:match ' src="([^"]*)"' or tag:match '^<link.* href="([^"]*)"'
    if target then
      check_loaded(address, target)
    end
  end
  for _, mark in ipairs { '???', '@{', '```' } do
    if page.text:gsub('<pre.-</pre>', ''):find(mark, 1, true) then
      fault('%s: %s', address, mark)
    end
  end
end


-- All that links lead to.
local function reach(address, reached)
  if not reached[address] and pages[address] then
    reached[address] = true
    for target in pairs(pages[address].links) do
      reach(target, reached)
    end
  end
  return reached
end


local function plain(html)
  return (html:gsub('<[^>]*>', ''):gsub('&lt;', '<'):gsub('&gt;', '>'):gsub('&quot;', '"')
    :gsub('&apos;', "'"):gsub('&amp;', '&'))
end


local function check_example(name)
  local page = pages['examples/' .. name .. '.html']
  if not page then
    fault('%s has no page', name)
    return
  end
  local program = plain(page.text:match '<pre>\n(.-)</pre>')
  if program:gsub('%s*$', '\n') ~= read('examples/' .. name) then
    fault('the page of %s is not the file', name)
  end
end


local function need_page(address)
  if not pages[address] then
    fault('there is no page %s', address)
  end
end


local function check_names(address, names, least)
  local count = 0
  for _, name in ipairs(names) do
    count = count + 1
    if pages[address] and not pages[address].text:find(name, 1, true) then
      fault('%s does not have %s', address, name)
    end
  end
  if count < least then
    fault('only %d names for %s', count, address)
  end
end


local function check_search()
  local index = read(site .. 'pages.js')
  for address, page in pairs(pages) do
    local ids = index:match('"' .. address:gsub('%p', '%%%0') .. '", "([^"]*)"')
    if not ids then
      fault('the search does not know %s', address)
      return
    end
    for id in page.text:gmatch '<dt id="([^"]*)"' do
      if not (' ' .. ids .. ' '):find(' ' .. id .. ' ', 1, true) then
        fault('the search does not know %s of %s', id, address)
      end
    end
  end
end


for _, address in ipairs(lines_of("cd '" .. site .. "' && ls *.html */*.html")) do
  load_page(address)
end
for address, page in pairs(pages) do
  check_page(address, page)
end
local reached = reach('index.html', {})
for address in pairs(pages) do
  if not reached[address] then
    fault('no link leads to %s', address)
  end
end
need_page 'modules/sock99.html'
need_page 'modules/sock99.luasocket.html'
need_page 'topics/socket99.md.html'
for _, text in ipairs(lines_of 'ls *.md doc/*.md doc/bench/README.md 2>/dev/null') do
  local name = text:gsub('bench/README', 'bench'):match '[^/]*$'
  need_page('topics/' .. name .. '.html')
end
for _, name in ipairs(lines_of 'ls examples') do
  check_example(name)
end
check_names('topics/socket99.md.html',
  lines_of "grep '^SOCKET99_API' include/socket99.h | grep -o 'socket99_[a-z_]*('", 11)
check_names('topics/options.md.html',
  lines_of "grep -o '^| `[a-z0-9_]*`' doc/options.md | tr -d '|` '", 200)
check_search()

if faults > 0 then
  os.exit(1)
end
print(#lines_of("ls '" .. site .. "'/*.html '" .. site .. "'/*/*.html") .. ' pages')
