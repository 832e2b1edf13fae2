#!lua
-- Puts an address on a list of its owner, and takes it off the other.
-- KEYS[1] the list · [2] the other list · [3] st:{b}:A · [4] blv:{b}
-- ARGV[1] address · [2] most on a list · [3] 1: the list is that of blocked ones
-- -> 1, 0 where it was there, -1 where the list is full
local list, other, peer = KEYS[1], KEYS[2], ARGV[1]
if redis.call('ZSCORE', list, peer) then return 0 end
if redis.call('ZCARD', list) >= tonumber(ARGV[2]) then return -1 end
local wasOnOther = redis.call('ZREM', other, peer) == 1
if ARGV[3] == '1' or wasOnOther then redis.call('INCR', KEYS[4]) end
redis.call('ZADD', list, 0, peer)
-- A mailbox without a state looks for the list when it gets one; one with ghosts (src/queue/ghosts.lua) gets rid of b with them.
local blocked, ghosts = ARGV[3] == '1' and list or other, string.gsub(KEYS[3], 'st:{', 'gho:{', 1)
if redis.call('EXISTS', KEYS[3]) == 1 then
  if redis.call('EXISTS', blocked, ghosts) > 0 then redis.call('HSET', KEYS[3], 'b', 1) else redis.call('HDEL', KEYS[3], 'b') end
end
return 1
