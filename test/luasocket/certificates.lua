-- certificates: an authority, a server and a client of its, and a stranger who
-- signed for himself; made by openssl when a program asks for them.

local certificates = {}

local KEY = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'


local function self_signed(t, name)
  t.command(('openssl req -x509 %s -keyout %s -out %s -days 2 -subj /CN=%s'):format(
    KEY, t.path(name .. '.key'), t.path(name .. '.pem'), name))
end


local function signed(t, name, serial)
  t.command(('openssl req %s -keyout %s -out %s -subj /CN=%s'):format(
    KEY, t.path(name .. '.key'), t.path(name .. '.csr'), name))
  t.command(('openssl x509 -req -in %s -CA %s -CAkey %s -set_serial %d -days 2 -out %s'):format(
    t.path(name .. '.csr'), t.path 'authority.pem', t.path 'authority.key', serial,
    t.path(name .. '.pem')))
end


function certificates.make(t)
  self_signed(t, 'authority')
  self_signed(t, 'stranger')
  signed(t, 'server', 2)
  signed(t, 'client', 3)
end


-- LuaSec's parameters for one end of a connection: `mode` is 'server' or
-- 'client', and who it is, if anybody; what else is in `fields`.
function certificates.parameters(t, mode, name, fields)
  local parameters = { mode = mode, protocol = 'any', verify = 'none',
    options = { 'all', 'no_sslv2', 'no_sslv3' }, cafile = t.path 'authority.pem' }
  if name then
    parameters.key, parameters.certificate = t.path(name .. '.key'), t.path(name .. '.pem')
  end
  for field, value in pairs(fields or {}) do
    parameters[field] = value
  end
  return parameters
end


return certificates
