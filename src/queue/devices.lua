-- KEYS[1] st -> {device, used at, sequence, ...} of each device, and the newest sequence at the end · nil
local known = redis.call('HMGET', KEYS[1], 's', 'v')
if not known[1] or not known[2] then return false end
local reply = {}
for _, device in ipairs(cmsgpack.unpack(known[2])) do
  reply[#reply + 1] = device[1]
  reply[#reply + 1] = device[4]
  reply[#reply + 1] = device[3]
end
reply[#reply + 1] = cmsgpack.unpack(known[1])[LAST]
return reply
