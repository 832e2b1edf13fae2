#!lua flags=allow-oom
-- Takes a name for a node, or renews the lease of one. A lease that ended stays ended: others may be cleaning up after it.
-- KEYS[1] {nodes}
-- ARGV[1] name · [2] now, ms · [3] when the lease ends, ms · [4] 1: the name is new
-- -> {1: it holds, name, score, name, score…}
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
local holds = 0
if ARGV[4] == '1' then
  if not score then holds = 1 end
elseif score and tonumber(score) > tonumber(ARGV[2]) then
  holds = 1
end
if holds == 1 then redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1]) end
local reply = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
table.insert(reply, 1, holds)
return reply
