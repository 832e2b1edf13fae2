-- KEYS[1] out · ARGV[1] now, ms · ARGV[2] until when only the caller passes on what it gets, ms
-- -> name, json, … of what is due
local due = {}
local found = redis.call('HSCAN', KEYS[1], 0, 'COUNT', 100)[2]
for i = 1, #found, 2 do
  local ms, json = string.match(found[i + 1], '^(%d+) (.*)$')
  if not ms then
    redis.call('HDEL', KEYS[1], found[i])
  elseif tonumber(ms) <= tonumber(ARGV[1]) then
    redis.call('HSET', KEYS[1], found[i], ARGV[2] .. ' ' .. json)
    due[#due + 1] = found[i]
    due[#due + 1] = json
  end
end
return due
