#!lua flags=allow-oom
-- Takes an address off a list of its owner.
-- KEYS[1] the list · [2] st:{b}:A · [3] blv:{b}
-- ARGV[1] address · [2] 1: the list is that of blocked ones
-- -> 1, or 0 where it was not there
local removed = redis.call('ZREM', KEYS[1], ARGV[1])
if removed == 1 and ARGV[2] == '1' then redis.call('INCR', KEYS[3]) end
if removed == 1 and ARGV[2] == '1' and redis.call('EXISTS', KEYS[1]) == 0 then
  -- Ghosts that wait (src/queue/ghosts.lua) are looked after until their time comes.
  local ghosts = string.gsub(KEYS[2], 'st:{', 'gho:{', 1)
  if redis.call('HEXISTS', ghosts, '*') == 0 then
    redis.call('UNLINK', ghosts)
    redis.call('HDEL', KEYS[2], 'b')
  end
end
return removed
