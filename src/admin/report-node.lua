#!lua flags=allow-oom
-- KEYS[1] beat
-- ARGV[1] node · [2] now, ms · [3] its report as JSON · [4] for how long reports are kept, ms
-- -> what the operator asked of it · nil
local name = 'r:' .. ARGV[1]
-- Each start is a new node: whoever comes makes room.
if redis.call('HEXISTS', KEYS[1], name) == 0 then
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    local node = string.match(fields[i], '^r:(.*)$')
    local heard = tonumber(string.match(fields[i + 1], '^%d+') or 0)
    if node and heard < ARGV[2] - ARGV[4] then redis.call('HDEL', KEYS[1], fields[i], 'o:' .. node) end
  end
end
redis.call('HSET', KEYS[1], name, ARGV[2] .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return redis.call('HGET', KEYS[1], 'o:' .. ARGV[1])
