#!lua flags=allow-oom
-- Takes an address off a list of its owner.
-- KEYS[1] the list · [2] st:{b}:A
-- ARGV[1] address · [2] 1: the list is that of blocked ones
-- -> 1, or 0 where it was not there
local removed = redis.call('ZREM', KEYS[1], ARGV[1])
if removed == 1 and ARGV[2] == '1' and redis.call('EXISTS', KEYS[1]) == 0 then redis.call('HDEL', KEYS[2], 'b') end
return removed
