#!lua
-- KEYS[1] ban
-- ARGV[1] address · [2] now, ms · [3] note · [4] names this change among all · [5] how many there may be
-- -> 1: news, 0: known, -1: too many
local known = redis.call('HGET', KEYS[1], ARGV[1])
-- One field is the mark.
if not known and redis.call('HLEN', KEYS[1]) - redis.call('HEXISTS', KEYS[1], 'mark') >= tonumber(ARGV[5]) then return -1 end
local at = known and string.match(known, '^%d+') or ARGV[2]
redis.call('HSET', KEYS[1], ARGV[1], at .. ' ' .. ARGV[3], 'mark', ARGV[4])
return known and 0 or 1
