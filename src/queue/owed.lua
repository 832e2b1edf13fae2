-- A page of what is owed in a bucket.
-- KEYS[1] out · ARGV[1] now, ms · ARGV[2] until when only the caller passes on what it gets, ms · ARGV[3] where the page begins
-- -> {where the next one does ('0': that was the last), name, json, … of what is due}
local cursor, found = unpack(redis.call('HSCAN', KEYS[1], ARGV[3], 'COUNT', 100))
local due = { cursor }
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
